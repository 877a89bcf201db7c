import { z } from 'zod';
import { type ApiAccess, type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import { requestContext } from '../http/request-context.ts';
import { toUserDto, userDto, userId, userListDto, userPatchDto } from './dto.ts';
import type { Actor, User, UserId } from './model.ts';
import type { People } from './people.ts';
import type { UserStore } from './store.ts';

export interface UserRoutesDeps {
  people: Pick<People, 'disable' | 'enable' | 'remove' | 'setRole'>;
  store: Pick<UserStore, 'find' | 'list'>;
  /** An owner's browser session. */
  owner: ApiAccess<{ readonly user: User }>;
}

const tag = 'Users';
const params = z.strictObject({ id: userId });

/** What an owner does with people. */
export function userRoutes({ people, store, owner }: UserRoutesDeps): ApiRoute[] {
  const requireUser = (id: UserId): User => {
    const user = store.find(id);
    if (user === undefined) throw notFound();
    return user;
  };

  const change = (id: UserId, patch: z.output<typeof userPatchDto>, by: Actor): Promise<User> => {
    if ('role' in patch) return people.setRole(id, patch.role, by);
    return patch.status === 'active'
      ? people.enable(id, by)
      : people.disable(id, by, { devices: patch.devices });
  };

  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/users',
      operationId: 'listUsers',
      tag,
      summary: 'Everybody',
      access: owner,
      answer: { status: 200, description: 'All of them.', schema: userListDto },
      handle: () => ({ users: store.list().map(toUserDto) }),
    }),

    apiRoute({
      method: 'GET',
      path: '/api/v1/users/{id}',
      operationId: 'getUser',
      tag,
      summary: 'One user',
      access: owner,
      params,
      answer: { status: 200, description: 'The user.', schema: userDto },
      handle: ({ params: { id } }) => toUserDto(requireUser(id)),
    }),

    apiRoute({
      method: 'PATCH',
      path: '/api/v1/users/{id}',
      operationId: 'updateUser',
      tag,
      summary: 'Disable or enable a user, or change the role',
      description: 'Disabling ends all sessions of the user.',
      access: owner,
      params,
      body: userPatchDto,
      answer: { status: 200, description: 'The user as it stands now.', schema: userDto },
      refusals: [{ kind: 'conflict', code: 'last_owner' }],
      async handle({ request, caller, params: { id }, body }) {
        requireUser(id);
        return toUserDto(await change(id, body, actor(request, caller)));
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/users/{id}',
      operationId: 'removeUser',
      tag,
      summary: 'Remove a user',
      description: 'All sessions of the user end, those of devices too.',
      access: owner,
      params,
      answer: { status: 204, description: 'The user is gone.' },
      refusals: [{ kind: 'conflict', code: 'last_owner' }],
      async handle({ request, caller, params: { id } }) {
        requireUser(id);
        await people.remove(id, actor(request, caller));
        return undefined;
      },
    }),
  ];
}

function actor(request: Request, { user }: { readonly user: User }): Actor {
  const { address, userAgent } = requestContext(request);
  return { userId: user.id, address, userAgent };
}
