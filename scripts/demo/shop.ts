import type { Random } from "./random.ts";

/*
 * What the shop sells and to whom.
 */

export interface Product {
  readonly productId: string;
  readonly sku: string;
  readonly name: string;
  readonly category: string;
  readonly priceCents: number;
}

export interface Address {
  readonly street: string;
  readonly postal_code: string;
  readonly city: string;
  readonly country: string;
}

export interface Customer {
  readonly customerId: string;
  readonly name: string;
  readonly email: string;
  readonly address: Address;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** SKU stem, name, category, price in cents. */
const GOODS = [
  ["MUG", "Stoneware mug", "kitchen", 1_490],
  ["KETTLE", "Pour-over kettle", "kitchen", 6_950],
  ["BEANS", "Espresso beans 1 kg", "pantry", 2_390],
  ["GRINDER", "Hand grinder", "kitchen", 8_900],
  ["BLANKET", "Merino blanket", "living", 12_900],
  ["LAMP", "Reading lamp", "living", 7_450],
  ["VASE", "Glass vase", "living", 3_200],
  ["APRON", "Canvas apron", "kitchen", 3_950],
  ["KNIFE", "Santoku knife", "kitchen", 9_990],
  ["BOARD", "Walnut board", "kitchen", 5_490],
  ["CANDLE", "Beeswax candle", "living", 1_850],
  ["TOWEL", "Linen towel", "bath", 2_150],
  ["SOAP", "Olive oil soap", "bath", 790],
  ["BASKET", "Willow basket", "living", 4_350],
  ["BOTTLE", "Steel bottle", "travel", 2_790],
  ["BAG", "Waxed tote bag", "travel", 6_490],
  ["NOTEBOOK", "Dotted notebook", "desk", 1_290],
  ["PEN", "Brass pen", "desk", 4_900],
  ["CLOCK", "Desk clock", "desk", 5_950],
  ["TRAY", "Oak tray", "kitchen", 3_650],
] as const;

const COLOURS = [
  ["SND", "sand"],
  ["FOR", "forest"],
  ["INK", "ink"],
  ["CLY", "clay"],
] as const;

const FIRST_NAMES = ["Ada", "Zoë", "Mateo", "Søren", "Ines", "Noor", "Kenji", "Aoife", "Luca", "Frida", "Tomás", "Mei"];
const LAST_NAMES = [
  "Lindqvist",
  "Okafor",
  "Müller",
  "García",
  "Nowak",
  "Tanaka",
  "O’Brien",
  "Rossi",
  "Dubois",
  "de Vries",
];
const STREETS = [
  "Keizersgracht",
  "Rue des Martyrs",
  "Torstraße",
  "Calle Mayor",
  "Via Garibaldi",
  "Østergade",
  "High Street",
];
const CITIES = [
  ["Amsterdam", "NL"],
  ["Paris", "FR"],
  ["Berlin", "DE"],
  ["Madrid", "ES"],
  ["Milano", "IT"],
  ["København", "DK"],
  ["Dublin", "IE"],
] as const;

/** The first `count` products of the range, at most four for each of twenty goods. */
export function productRange(count: number): Product[] {
  const range = COLOURS.flatMap(([suffix, colour]) =>
    GOODS.map(([stem, name, category, priceCents]) => ({
      sku: `${stem}-${suffix}`,
      name: `${name}, ${colour}`,
      category,
      priceCents,
    })),
  );
  return range.slice(0, count).map((product, index) => ({ productId: `PRD-${1_001 + index}`, ...product }));
}

export function newCustomer(random: Random, since: number): Customer {
  const first = random.pick(FIRST_NAMES);
  const last = random.pick(LAST_NAMES);
  const code = random.code(8);
  const email = `${plain(first)}.${plain(last)}.${code.slice(0, 3).toLowerCase()}@example.com`;
  return { customerId: `CUS-${code}`, name: `${first} ${last}`, email, address: newAddress(random), since };
}

export function newAddress(random: Random): Address {
  const [city, country] = random.pick(CITIES);
  return {
    street: `${random.pick(STREETS)} ${random.int(1, 240)}`,
    postal_code: String(random.int(10_000, 99_999)),
    city,
    country,
  };
}

function plain(name: string): string {
  return name
    .normalize("NFD")
    .toLowerCase()
    .replace("ø", "o")
    .replace(/[^a-z]/g, "");
}
