/** The authorization endpoint of a service that is made up: says yes at once, and remembers the challenge of the code (RFC 7636). */
export function giveCode({ searchParams }: URL, challenges: Map<string, string>): Response {
  const code = crypto.randomUUID();
  challenges.set(code, searchParams.get('code_challenge') ?? '');
  const back = new URL(searchParams.get('redirect_uri') ?? '');
  back.search = new URLSearchParams({ code, state: searchParams.get('state') ?? '' }).toString();
  return Response.redirect(back.href, 302);
}
