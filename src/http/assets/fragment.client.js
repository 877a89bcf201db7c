// Moves the secret of a setup or invitation link from the fragment, which no server and no log sees, into the form.
const field = document.querySelector('input[data-from-fragment]');
const secret = location.hash.slice(1);
if (field !== null && secret !== '') {
  field.value = secret;
  const wrapper = field.closest('[data-fragment-field]');
  if (wrapper !== null) wrapper.hidden = true;
  history.replaceState(null, '', location.pathname + location.search);
}
