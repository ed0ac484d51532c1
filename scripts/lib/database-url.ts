/**
 * The URL of a PostgreSQL database, as it was given. Hyperdrive wants every part of it but the port.
 *
 * @throws Error, as a sentence that does not repeat the URL, because it may hold a password
 */
export function requireDatabaseUrl(text: string | undefined): string {
  const url = text === undefined ? null : URL.parse(text);
  const isPostgres = url?.protocol === "postgres:" || url?.protocol === "postgresql:";
  if (text === undefined || !isPostgres || !url.hostname || !url.username || !url.password || url.pathname.length < 2) {
    throw new Error("DATABASE_URL must be of the form postgres://user:password@host:port/database.");
  }
  return text;
}
