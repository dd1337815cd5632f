const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const decimal: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const form = /^([+-]?)(\d*)(?:\.(\d*))?(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d{1,3})?$/;

/** A resource.Quantity as Kubernetes prints it: `0.1` is `100m`, `1024Mi` is `1Gi`. Undefined when it is none. */
export function canonicalQuantity(value: unknown): string | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || text.length > 64) return undefined;
  const match = form.exec(text);
  const [, sign = '', whole = '', fraction = '', suffix = ''] = match ?? [];
  if (!match || (whole === '' && fraction === '')) return undefined;
  const digits = BigInt(whole + fraction);
  const negative = sign === '-' && digits !== 0n ? '-' : '';
  const power = binary.indexOf(suffix);
  if (power > 0) return negative + binaryForm(digits, fraction.length, power);
  const exponent = /^[eE]./.test(suffix) ? Number(suffix.slice(1)) : (decimal[suffix] ?? 0);
  return negative + decimalForm(digits, exponent - fraction.length, /^[eE]./.test(suffix));
}

function binaryForm(digits: bigint, places: number, power: number): string {
  const scale = 10n ** BigInt(places);
  const scaled = digits * 1024n ** BigInt(power);
  if (scaled % scale !== 0n) return decimalForm(divideUp(scaled * 1000n, scale), -3, false);
  let amount = scaled / scale;
  if (amount === 0n) return '0';
  let unit = 0;
  while (unit < binary.length - 1 && amount % 1024n === 0n) {
    amount /= 1024n;
    unit += 1;
  }
  return `${amount}${binary[unit]}`;
}

function decimalForm(digits: bigint, exponent: number, scientific: boolean): string {
  if (digits === 0n) return '0';
  let amount = digits;
  let power = exponent;
  if (power < -9) {
    amount = divideUp(amount, 10n ** BigInt(-9 - power));
    power = -9;
  }
  while (amount % 10n === 0n) {
    amount /= 10n;
    power += 1;
  }
  while (((power % 3) + 3) % 3 !== 0 || (power > 18 && !scientific)) {
    amount *= 10n;
    power -= 1;
  }
  if (scientific) return power === 0 ? `${amount}` : `${amount}e${power}`;
  return `${amount}${Object.keys(decimal).find((unit) => decimal[unit] === power) ?? ''}`;
}

/** What is finer than a quantity can hold is rounded up. */
function divideUp(amount: bigint, divisor: bigint): bigint {
  return (amount + divisor - 1n) / divisor;
}
