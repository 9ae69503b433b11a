// Signing in with a passkey: the button shows where the browser can, and a failure is told on the page.
document.addEventListener('DOMContentLoaded', () => {
  const button = document.getElementById('passkey_login')
  if (!button || !window.PublicKeyCredential) return
  button.hidden = false
  document.addEventListener('allauth.error', (event) => {
    event.preventDefault()
    document.getElementById('passkey_failed').hidden = false
  })
  window.allauth.webauthn.forms.loginForm({ ids: { login: 'passkey_login', credential: 'mfa_credential' } })
})
