import { type Access, type Caller, type Place, type Scope, everything } from '../../caller.ts';

/** `iris:ROLE_USER`. A project's name is compared with the label of its runs, so it has the form of one. */
const projectRole = /^([A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?):ROLE_(?:USER|ADMIN)$/;

/**
 * Rights by the platform's roles: who has one in a project may do everything with its runs (the platform knows no
 * viewers), `ROLE_ADMIN` everything with all. They hold in the platform's namespaces only: elsewhere a label says nothing.
 */
export function createRoleAccess(namespaces: readonly string[] | null): (caller: Caller) => Access {
  const known = namespaces && new Set(namespaces);
  const within = ({ namespace }: Place) => known?.has(namespace) ?? true;
  return ({ roles = [] }) => {
    if (roles.includes('ROLE_ADMIN')) {
      return accessOf(known ? { key: 'roles:*', includes: within } : everything, []);
    }
    const projects = new Set(roles.flatMap((role) => projectRole.exec(role)?.[1] ?? []));
    const sorted = [...projects].sort();
    const includes = (place: Place) =>
      typeof place.project === 'string' && projects.has(place.project) && within(place);
    return accessOf({ key: `roles:${sorted.join(',')}`, includes }, sorted);
  };
}

function accessOf(scope: Scope, projects: readonly string[]): Access {
  return {
    projects,
    scope: () => Promise.resolve(scope),
    allows: (_, place) => Promise.resolve(scope.includes(place)),
  };
}
