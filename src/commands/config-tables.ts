import { z } from 'zod';
import { configKeys, settingsSchema } from '../config.ts';
import type { AnyModule } from '../module.ts';
import { environmentName } from '../registry.ts';

const row = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
const head = ['Variable', 'Default', 'Meaning'];

function table(rows: { name: string; default: unknown; description: string }[]): string {
  const lines = rows.map((entry) =>
    row([`\`${entry.name}\``, entry.default === undefined ? '' : `\`${text(entry.default)}\``, entry.description]),
  );
  return [row(head), row(head.map(() => '---')), ...lines].join('\n');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The core's own settings as a Markdown table, from their schema. */
export function renderCoreTable(): string {
  const { properties = {} } = z.toJSONSchema(settingsSchema, { io: 'input', unrepresentable: 'any' });
  const core = Object.entries(properties).map(([name, value]) => {
    const schema = typeof value === 'object' ? value : {};
    return { name, default: schema.default, description: schema.description ?? '' };
  });
  return table(core);
}

/** The configuration of the core and each module as Markdown tables, from their schemas. */
export function renderConfigTables(modules: readonly AnyModule[]): string {
  const sections = modules.flatMap((module) => {
    const rows = configKeys(module).map((key) => ({ ...key, name: environmentName(module.name, key.key) }));
    return rows.length === 0 ? [] : [`\n### Module \`${module.name}\`\n\n${table(rows)}`];
  });
  return [`### Server\n\n${renderCoreTable()}`, ...sections].join('\n');
}
