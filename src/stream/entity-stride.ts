/**
 * Every event points back to the previous one of its entity, and to the latest one before it whose version is a multiple
 * of this stride. Finding version v of an entity at version V thus takes at most V / 512 long steps and 512 short ones:
 * about 2,500 rows for an entity with a million events, where single steps would read the million.
 */
export const ENTITY_STRIDE = 512;
