(function (window, document) {
  "use strict";
  var base = new URL(document.currentScript.src).origin;
  var app = {};

  // One call of FB.login: a window, and a callback that is called once whatever happens.
  function open(options, callback) {
    var channel = "f" + Math.random().toString(16).slice(2) + Date.now().toString(16);
    var query = new URLSearchParams({
      client_id: app.appId || "",
      config_id: options.config_id || "",
      response_type: options.response_type || "token",
      override_default_response_type: String(Boolean(options.override_default_response_type)),
      display: "popup",
      origin: window.location.origin,
      cb: channel,
      extras: JSON.stringify(options.extras || {})
    });
    var finished = false, timer = null;

    function finish(code) {
      if (finished) return;
      finished = true;
      clearInterval(timer);
      window.removeEventListener("message", listen);
      if (code) {
        callback({ authResponse: { code: code, userID: null, expiresIn: null }, status: "connected" });
      } else {
        callback({ authResponse: null, status: "unknown" });
      }
    }

    function listen(event) {
      if (event.origin !== base || typeof event.data !== "string") return;
      var answer = new URLSearchParams(event.data);
      if (answer.get("cb") === channel) finish(answer.get("code"));
    }

    window.addEventListener("message", listen);
    var popup = window.open(
      base + "/dialog/oauth?" + query, "sandbox_login", "popup,width=620,height=760");
    if (!popup) { finish(null); return; }
    timer = setInterval(function () {
      if (!popup.closed) return;
      clearInterval(timer);
      // Messages that were sent before it closed may still be on their way.
      setTimeout(function () { finish(null); }, 500);
    }, 250);
  }

  window.FB = {
    init: function (options) { app = options || {}; },
    login: function (callback, options) { open(options || {}, callback || function () {}); },
    getLoginStatus: function (callback) {
      setTimeout(function () { callback({ authResponse: null, status: "unknown" }); }, 0);
    },
    AppEvents: { logPageView: function () {}, logEvent: function () {} },
    Event: { subscribe: function () {}, unsubscribe: function () {} },
    XFBML: { parse: function () {} }
  };

  function ready() {
    if (typeof window.fbAsyncInit === "function" && !window.fbAsyncInit.hasRun) {
      window.fbAsyncInit.hasRun = true;
      window.fbAsyncInit();
    }
  }
  ready();
  // A page that sets fbAsyncInit only after this script has run still gets its call.
  setTimeout(ready, 0);
})(window, document);
