// The official page: opens the provider's window and brings its answer to the server. Everything it shows stands in
// the page already; without it the forms lead through the provider's page in this tab.
(function () {
  "use strict";
  var root = document.getElementById("onboarding");
  if (!root || !window.fetch || !window.Promise || !window.URLSearchParams) return;
  var settings = JSON.parse(root.getAttribute("data-settings"));
  var attempt = null, sdk = null, polling = null, leaving = false;

  // ---- What the owner sees ----

  function all(selector, act) { Array.prototype.forEach.call(root.querySelectorAll(selector), act); }

  function show(name) {
    all("[data-view]", function (view) {
      view.hidden = view.getAttribute("data-view") !== name;
      if (view.hidden) return;
      var heading = view.querySelector("h2"), say = root.querySelector("[data-say]");
      if (name !== "begin") {
        view.focus({ preventScroll: true });
        window.scrollTo(0, 0);
        if (say && heading) say.textContent = heading.textContent;
      }
    });
    if (name === "waiting" || name === "progress") poll(); else clearTimeout(polling);
  }

  // The server's page says what has become of it.
  function leave() {
    if (leaving) return;
    leaving = true;
    window.location.replace(settings.page);
  }

  // ---- The server ----

  function ask(address, options) {
    options.credentials = "same-origin";
    options.headers = options.headers || {};
    options.headers.Accept = "application/json";
    return window.fetch(address, options);
  }

  // A state of its own for each opening of the window.
  function newState() {
    return ask(settings.start, { method: "POST", body: new URLSearchParams({ form: settings.form }) })
      .then(function (answer) {
        if (!answer.ok) { leave(); throw new Error("refused"); }
        return answer.json();
      })
      .then(function (answer) { return answer.state; });
  }

  function poll() {
    clearTimeout(polling);
    polling = setTimeout(function () {
      ask(settings.status, {}).then(function (answer) {
        if (!answer.ok) { leave(); return null; }
        return answer.json();
      }).then(function (now) {
        if (!now) return;
        offline(false);
        // While the window is open the session waits for it; whatever else it says, its page shows.
        var waits = now.status === "authorizing" || now.status === "verifying" && now.problem === null;
        if (!waits && (!attempt || attempt.began)) { leave(); return; }
        if (now.status === "verifying") now.steps.forEach(mark);
        poll();
      }, function () { offline(true); poll(); });
    }, 2000);
  }

  function mark(step) {
    all('[data-step="' + step.name + '"]', function (line) {
      line.className = step.mark;
      line.querySelector(".state").textContent = step.state;
    });
  }

  function offline(is) { all("[data-offline]", function (note) { note.hidden = !is; }); }

  function slow() {
    setTimeout(function () { all("[data-slow]", function (note) { note.hidden = false; }); }, 30000);
  }

  // ---- The provider's SDK, loaded only after the tap ----

  function load() {
    if (sdk) return sdk;
    sdk = new Promise(function (done, failed) {
      var script = document.createElement("script");
      var timer = setTimeout(failed, 45000);
      window.fbAsyncInit = function () {
        clearTimeout(timer);
        window.FB.init({ appId: settings.app, version: settings.version, xfbml: false, status: false, cookie: false });
        done();
      };
      script.src = settings.sdk;
      script.async = true;
      script.crossOrigin = "anonymous";
      script.onerror = failed;
      document.body.appendChild(script);
    });
    sdk.catch(function () { sdk = null; });
    return sdk;
  }

  // A window may only be opened while the tap still counts. Where the SDK took too long, a second tap opens it.
  function prepare() {
    show("loading");
    load().then(function () {
      var activation = navigator.userActivation;
      if (activation && activation.isActive) open(); else show("open");
    }, function () { show("no-network"); });
  }

  function open() {
    attempt = { state: null, began: false, code: null, ids: null, ended: null, popup: null, sent: false, answered: false };
    var mine = attempt, plain = window.open;
    window.open = function () {
      var opened = plain.apply(window, arguments);
      mine.popup = opened || false;
      return opened;
    };
    show("waiting");
    try {
      window.FB.login(function (response) { answered(mine, response); }, {
        config_id: settings.config,
        response_type: "code",
        override_default_response_type: true,
        extras: { setup: {} }
      });
    } catch (error) {
      show("blocked");
    }
    setTimeout(function () { window.open = plain; }, 1000);
    if (mine.popup === false) { attempt = null; show("blocked"); return; }
    begin(mine);
    watch(mine);
  }

  function begin(mine) {
    mine.state = newState().then(function (state) { mine.began = true; return state; });
    mine.state.catch(function () { mine.state = null; });
  }

  // Some browsers never tell the SDK that its window was closed.
  function watch(mine) {
    var timer = setInterval(function () {
      if (attempt !== mine || mine.sent || mine.answered) { clearInterval(timer); return; }
      if (!mine.popup || !mine.popup.closed) return;
      clearInterval(timer);
      setTimeout(function () { if (!mine.answered) answered(mine, null); }, 3000);
    }, 500);
  }

  // ---- Two channels, in either order: the code from the SDK, the ids from the window ----

  function answered(mine, response) {
    if (attempt !== mine) return;
    mine.answered = true;
    mine.code = response && response.authResponse && response.authResponse.code || null;
    if (mine.popup === false) { attempt = null; show("blocked"); return; }
    // The code lives 30 seconds: what the ids add is worth a moment, no more.
    if (mine.code && (mine.ids || mine.ended)) send(mine);
    else setTimeout(function () { send(mine); }, 1200);
  }

  window.addEventListener("message", function (event) {
    if (!attempt || settings.origins.indexOf(event.origin) < 0 || typeof event.data !== "string") return;
    var said;
    try { said = JSON.parse(event.data); } catch (error) { return; }
    if (!said || said.type !== "WA_EMBEDDED_SIGNUP" || typeof said.event !== "string") return;
    var data = said.data || {};
    if (said.event.indexOf("FINISH") === 0) {
      attempt.ids = { event: said.event, waba_id: data.waba_id, phone_number_id: data.phone_number_id };
    } else {
      attempt.ended = {
        event: said.event, current_step: data.current_step, error_message: data.error_message,
        error_code: data.error_code || data.error_id, session_id: data.session_id
      };
    }
    if (attempt.code) send(attempt);
  });

  // A code that comes after all, when its absence was reported already, is an answer of its own.
  function send(mine) {
    if (attempt !== mine || mine.sent && !(mine.code && !mine.sentCode)) return;
    if (mine.sent) begin(mine);
    mine.sent = true;
    mine.sentCode = Boolean(mine.code);
    var answer = Object.assign({}, mine.code ? null : mine.ended, mine.ids, mine.code ? { code: mine.code } : null);
    if (mine.code) { show("progress"); slow(); }
    deliver(mine, answer, 0);
  }

  // A state counts once, so the same answer may be sent again until the server has said something.
  function deliver(mine, answer, tries) {
    if (!mine.state) begin(mine);
    mine.state.then(function (state) {
      answer.state = state;
      return ask(settings.callback, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(answer)
      });
    }).then(leave, function () {
      offline(true);
      if (tries < 12) setTimeout(function () { deliver(mine, answer, tries + 1); }, 2000);
    });
  }

  // ---- Taps ----

  var connect = document.getElementById("connect");
  if (connect) connect.form.addEventListener("submit", function (event) { event.preventDefault(); prepare(); });
  root.addEventListener("click", function (event) {
    var act = event.target.getAttribute && event.target.getAttribute("data-act");
    if (act === "open") { if (window.FB) open(); else prepare(); }
    if (act === "again") { close(); prepare(); }
    if (act === "show" && attempt && attempt.popup) attempt.popup.focus();
  });

  function close() {
    if (attempt && attempt.popup && !attempt.popup.closed) attempt.popup.close();
    attempt = null;
  }

  // A page that comes back from the browser's memory may be out of date.
  window.addEventListener("pageshow", function (event) { if (event.persisted) window.location.reload(); });

  if (!connect) { show("progress"); slow(); }
})();
