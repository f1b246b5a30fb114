// Before anything is drawn: the theme that was chosen in this browser, if one was.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem('hal9.theme'); } catch { /* storage may be closed */ }
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
})();
