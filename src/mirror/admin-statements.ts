/*
 * Parts of the statements behind the administrators' numbers.
 */

/** Which API keys count as active: `api_keys` must be among the tables under that name. */
export const IS_ACTIVE_KEY =
  "api_keys.revoked_at IS NULL AND (api_keys.expires_at IS NULL OR api_keys.expires_at > now())";

/**
 * Stores with where their streams are, as far as they are mirrored: `head` is the last number, NULL for none, and
 * `active_at` when its event was sequenced. Each takes two look-ups by a primary key.
 *
 * @param stores a table, or a query in brackets, with `tenant_id`, `store_id` and `created_at`
 */
export const streamsOf = (stores: string): string => `
  SELECT stores.tenant_id, stores.store_id, stores.created_at, last.sequence_end AS head, event.sequenced_at AS active_at
    FROM ${stores} AS stores
    LEFT JOIN LATERAL (
      SELECT sequence_end FROM ves_commitments AS batch
       WHERE batch.tenant_id = stores.tenant_id AND batch.store_id = stores.store_id
       ORDER BY sequence_start DESC LIMIT 1
    ) AS last ON true
    LEFT JOIN ves_events AS event
           ON event.tenant_id = stores.tenant_id AND event.store_id = stores.store_id
          AND event.sequence_number = last.sequence_end`;
