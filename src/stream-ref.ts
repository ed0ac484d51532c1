/** Names one stream. Both ids are lowercase hyphenated UUIDs. */
export interface StreamRef {
  readonly tenantId: string;
  readonly storeId: string;
}

/** The name of the stream's Durable Object: everyone who knows the pair reaches the same object. */
export function streamObjectName({ tenantId, storeId }: StreamRef): string {
  return `${tenantId}/${storeId}`;
}

/** The inverse of {@link streamObjectName}. */
export function parseStreamObjectName(name: string): StreamRef {
  const [tenantId, storeId] = name.split("/");
  if (tenantId === undefined || storeId === undefined) throw new Error(`not a stream's name: ${name}`);
  return { tenantId, storeId };
}
