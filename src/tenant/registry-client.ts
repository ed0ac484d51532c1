export type RegistryStub = ReturnType<Env["TENANTS"]["get"]>;

/** The registry object of a tenant. */
export function registryStub(env: Env, tenantId: string): RegistryStub {
  return env.TENANTS.get(env.TENANTS.idFromName(tenantId));
}
