import { describe, expect, test } from "vitest";
import { brokenRule, isTypeRule } from "../../src/tenant/policy.ts";

const OPEN = {
  allowedEventTypes: ["*"],
  allowedEntityTypes: ["*"],
  requireBaseVersion: false,
  maxPayloadBytes: null,
  enabled: true,
};
const EVENT = { event_type: "order.shipped", entity_type: "order" };

describe("an agent's policy", () => {
  test.each([
    ["all open", {}, EVENT, undefined],
    ["an exact type", { allowedEventTypes: ["order.shipped"] }, EVENT, undefined],
    ["another type", { allowedEventTypes: ["order.ship"] }, EVENT, "allowedEventTypes"],
    ["a prefix", { allowedEventTypes: ["return.*", "order.*"] }, EVENT, undefined],
    ["another prefix", { allowedEventTypes: ["orders.*"] }, EVENT, "allowedEventTypes"],
    ["no types", { allowedEventTypes: [] }, EVENT, "allowedEventTypes"],
    ["no entities", { allowedEntityTypes: [] }, EVENT, "allowedEntityTypes"],
    ["an entity", { allowedEntityTypes: ["ord*"] }, EVENT, undefined],
    ["a missing base version", { requireBaseVersion: true }, EVENT, "requireBaseVersion"],
    ["base version 0", { requireBaseVersion: true }, { ...EVENT, base_version: 0 }, undefined],
    ["a creation", { requireBaseVersion: true }, { ...EVENT, event_type: "order.created" }, undefined],
    ["a payload at the limit", { maxPayloadBytes: 100 }, EVENT, undefined],
    ["a payload above it", { maxPayloadBytes: 99 }, EVENT, "maxPayloadBytes"],
    ["disabled", { enabled: false, allowedEventTypes: [] }, EVENT, undefined],
    [
      "the first of several",
      { allowedEntityTypes: [], requireBaseVersion: true, maxPayloadBytes: 1 },
      EVENT,
      "allowedEntityTypes",
    ],
  ])("%s", (_, change, event, rule) => {
    expect(brokenRule({ ...OPEN, ...change }, event, 100)?.rule).toBe(rule);
  });

  test.each([
    ["order.created", true],
    ["*", true],
    ["order.*", true],
    ["", false],
    ["*.created", false],
    ["or*der", false],
    ["order.**", false],
  ])("rule %j: %s", (rule, expected) => expect(isTypeRule(rule)).toBe(expected));
});
