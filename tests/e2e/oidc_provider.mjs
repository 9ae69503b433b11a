// A real OpenID Connect provider on loopback. Its people stand in a JSON file, read anew at every sign-in.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const { MODULES, PEOPLE, PORT, CLIENT_SECRET, REDIRECT } = process.env
const found = createRequire(`${MODULES}/`).resolve('oidc-provider')
const { default: Provider } = await import(pathToFileURL(found).href)

const client = { client_id: 'tallygate', client_secret: CLIENT_SECRET, redirect_uris: [REDIRECT] }
const configuration = {
  clients: [client],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'given_name', 'family_name', 'preferred_username'],
    groups: ['groups']
  },
  pkce: { required: () => true },
  cookies: { keys: ['only for tests'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...JSON.parse(readFileSync(PEOPLE, 'utf8'))[id] }) }),
  // nobody is asked what this gateway may know
  loadExistingGrant: async ({ oidc }) => {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
    grant.addOIDCScope('openid profile email groups')
    await grant.save()
    return grant
  }
}
new Provider(`http://127.0.0.1:${PORT}`, configuration).listen(Number(PORT), '127.0.0.1', () => console.log('listening'))
