// old.js: tells whoever comes with a browser that cannot run the page's modules, in words that such a browser understands.

(function () {
  var old = document.getElementById("login-old");
  if (old && !(window.HTMLDialogElement && "at" in Array.prototype && window.CSS && CSS.supports("selector(:has(a))"))) old.hidden = false;
})();
