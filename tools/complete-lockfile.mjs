// Run after changing dependencies where the registry lacks some platforms' binary packages (a filtering mirror, say):
// npm then leaves them out of package-lock.json, and `npm ci` refuses the file everywhere. This adds an entry for each,
// with the platform its name says, so that npm skips it on other platforms.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

const added = [];
for (const { dev, optionalDependencies = {} } of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const path = `node_modules/${name}`;
    if (lock.packages[path]) continue;
    const parts = name.split('/').at(-1).split('-');
    const os = systems.filter((system) => parts.includes(system));
    const cpu = processors.filter((processor) => parts.includes(processor));
    if (os.length !== 1) throw new Error(`${name} does not name its platform: add it by hand.`);
    lock.packages[path] = { version, ...(cpu.length === 1 && { cpu }), ...(dev && { dev }), optional: true, os };
    added.push(name);
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(added.length === 0 ? 'Nothing is missing.\n' : `Added: ${added.join(', ')}\n`);
