import { invalid, type SlipwayError } from '../../errors.ts';
import { dnsLabel } from './names.ts';

export interface HostnameRules {
  /** The services domain: default names lie under it. */
  domain: string;
  /** Hostnames must lie under one of these; empty: wherever the Gateway's listeners take them. */
  allowedDomains: readonly string[];
}

export const domainsOf = ({ domain, allowedDomains }: HostnameRules): string[] => [domain, ...allowedDomains];

/** Why a hostname can't be used; null when it can. What Gateway API lets through but must not serve is refused too. */
export function hostnameProblem(hostname: string, rules: HostnameRules, field = 'hostname'): SlipwayError | null {
  const refuse = (message: string, reason = 'HOSTNAME_INVALID') => invalid(field, message, reason);
  const shown = JSON.stringify(hostname);
  if (hostname.length > 253) return refuse('A hostname has at most 253 characters.');
  if (hostname.includes('*'))
    return refuse(`${shown} has a wildcard. Give one full name, such as shop.${rules.domain}.`);
  if (hostname.endsWith('.')) return refuse(`${shown} ends with a dot. Leave it out.`);
  if (!/^[\x21-\x7e]+$/.test(hostname)) {
    return refuse(`${shown} must be letters a to z, digits, hyphens and dots. Look-alike letters are refused.`);
  }
  if (/[A-Z]/.test(hostname)) return refuse(`${shown} must be in lower case.`);
  const labels = hostname.split('.');
  const bad = labels.find((label) => !dnsLabel.test(label));
  if (bad !== undefined) {
    return refuse(
      `The part ${JSON.stringify(bad)} of ${shown} is no DNS label: 1 to 63 letters a to z, digits and hyphens, ` +
        'no hyphen at either end. Leave scheme, port and path out.',
    );
  }
  if (labels.length < 2)
    return refuse(`${shown} is no full domain name. Give one such as ${hostname}.${rules.domain}.`);
  if (/^\d+$/.test(labels.at(-1) ?? '')) return refuse(`${shown} is an address. Give a domain name.`);
  return suffixProblem(hostname, rules, refuse);
}

function suffixProblem(
  hostname: string,
  { domain, allowedDomains }: HostnameRules,
  refuse: (message: string, reason: string) => SlipwayError,
): SlipwayError | null {
  const suffixes = domainsOf({ domain, allowedDomains });
  if (suffixes.includes(hostname)) {
    return refuse(
      `"${hostname}" is the domain itself. Give a name under it, such as shop.${hostname}.`,
      'HOSTNAME_APEX',
    );
  }
  const under = suffixes.filter((suffix) => hostname.endsWith(`.${suffix}`));
  if (allowedDomains.length > 0 && under.length === 0) {
    return refuse(`"${hostname}" must lie under one of: ${suffixes.join(', ')}.`, 'HOSTNAME_NOT_ALLOWED');
  }
  // Punycode of a domain the operator named is fine; in what callers choose it can only imitate another name.
  const longest = under.toSorted((a, b) => b.length - a.length)[0] ?? '';
  const own = longest ? hostname.slice(0, -longest.length - 1) : hostname;
  if (own.split('.').some((label) => label.startsWith('xn--'))) {
    return refuse(
      `"${hostname}" has an internationalized part (xn--), which can imitate another name.`,
      'HOSTNAME_INVALID',
    );
  }
  return null;
}

/** Gateway API's intersection of a listener's hostname and a route's; either may be a wildcard, absent takes all. */
export function intersects(listener: string | undefined, route: string): boolean {
  if (!listener || listener === route) return true;
  const covers = (wildcard: string, name: string) => wildcard.startsWith('*.') && name.endsWith(wildcard.slice(1));
  return covers(listener, route) || covers(route, listener);
}
