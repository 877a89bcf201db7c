/**
 * Words and phrases that passwords are most often made of, folded and without spaces, the longest first.
 * A password of fifteen characters or more is common only by stringing these together, so that the parts are listed.
 */
export const COMMON_PASSWORD_PARTS: readonly string[] = `
correcthorsebatterystaple thequickbrownfoxjumpsoverthelazydog thequickbrownfox jumpsoverthelazydog
tobeornottobe thatisthequestion maytheforcebewithyou itwasthebestoftimes onceuponatime happybirthday
letmeinplease iloveyousomuch iloveyouforever mypasswordis thisismypassword thisisapassword supersecretpassword
donotforget nevergonnagiveyouup loremipsumdolorsitamet loremipsum helloworld opensesame
password passwort passwords passphrase passcode motdepasse contrasena contraseña wachtwoord senha parola haslo heslo
iloveyou ichliebedich jetaime teamo tequiero letmein welcome willkommen bienvenue bienvenido changeme changeit
administrator administrateur administrador admin root superuser default guest test testing tester example sample secret
geheim topsecret qwertyuiop qwertzuiop azertyuiop qwerty qwertz azerty asdfghjkl zxcvbnm qazwsxedc qazwsx wsxedc
1qaz2wsx3edc4rfv 1qaz2wsx3edc 1qaz2wsx 1q2w3e4r5t6y7u8i9o0p 1q2w3e4r5t6y 1q2w3e4r5t 1q2w3e4r q1w2e3r4t5y6 q1w2e3r4
zaq12wsx zaq1zaq1 abc123 123abc a1b2c3d4 a1b2c3 aa123456 trustno1 whatever nothing anything
computer internet server network homeserver homelab raspberrypi raspberry ubuntu debian linux windows microsoft google
facebook instagram youtube samsung apple iphone android pokemon minecraft fortnite starwars superman batman spiderman
football baseball basketball soccer hockey liverpool chelsea arsenal barcelona juventus realmadrid
princess sunshine shadow dragon monkey master charlie michael jessica jennifer jordan ashley daniel thomas robert
andrew matthew joshua nicole hannah amanda freedom flower lovely summer winter spring autumn sommer
january february march april june july august september october november december
monday tuesday wednesday thursday friday saturday sunday cookie chocolate cheese banana orange purple yellow
pepper ginger buster tigger killer hunter ranger harley mustang corvette ferrari mercedes porsche
love hello hallo bonjour login signin user mypass pass pwd word home house family
`
  .trim()
  .split(/\s+/)
  .sort((a, b) => b.length - a.length);
