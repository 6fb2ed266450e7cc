//! The dialog's pages: plain forms that also work without JavaScript, except the last, which has to talk to its opener.

use super::Post;
use super::grant::Scenario;
use super::request::{Form, Request};
use crate::world::{World, locked};
use std::fmt::Write;

const SHELL: &str = include_str!("shell.html");

pub(super) fn login(request: &Request) -> String {
    form(
        "Log in to continue",
        request,
        "login",
        &[],
        r#"<p>Any name and any password will do.</p>
<label for="login-email">Email address or phone number</label>
<input id="login-email" name="email" autocomplete="off" required>
<label for="login-password">Password</label>
<input id="login-password" name="password" type="password" autocomplete="off" required>
<button id="login-submit" name="action" value="continue">Log in</button>"#,
    )
}

pub(super) fn choose(request: &Request, world: &World) -> String {
    let accounts = locked(&world.accounts);
    let (mut businesses, mut numbers, mut scenarios) = (String::new(), String::new(), String::new());
    for waba in accounts.wabas.values() {
        let owner =
            accounts.portfolios.get(&waba.portfolio_id).map_or("", |portfolio| portfolio.name.as_str());
        option(&mut businesses, &waba.id, &format!("{owner} (account {})", waba.id), "");
        // The first one is chosen already, so what is free comes first.
        let mut of_waba: Vec<_> = accounts.numbers_of(&waba.id).collect();
        of_waba.sort_by_key(|number| (number.registered, !number.verified));
        for number in of_waba {
            let note = match (number.registered, number.verified) {
                (true, _) => " (in use)",
                (false, true) => "",
                (false, false) => " (not verified)",
            };
            let belongs = format!(r#" data-business="{}""#, waba.id);
            option(&mut numbers, &number.id, &format!("{}{note}", number.display), &belongs);
        }
    }
    let new = request.business_name.as_deref().unwrap_or("a new business");
    option(&mut businesses, "new", &format!("Create {new}"), "");
    option(&mut numbers, "new", "Add a new number", "");
    option(&mut numbers, "new_unverified", "Add a new number, verify it later", "");
    option(&mut numbers, "none", "No number for now", "");
    for (_, name, label) in Scenario::ALL {
        option(&mut scenarios, name, label, "");
    }
    let body = format!(
        r#"<label for="business">Business</label>
<select id="business" name="business">{businesses}</select>
<label for="number">WhatsApp number</label>
<select id="number" name="number">{numbers}</select>
<label for="scenario">What shall happen (sandbox only)</label>
<select id="scenario" name="scenario">{scenarios}</select>
<button id="continue" name="action" value="continue">Continue</button>
<script>
(function () {{
  var business = document.getElementById("business"), number = document.getElementById("number");
  function fit() {{
    var first = null;
    Array.prototype.forEach.call(number.options, function (option) {{
      var of = option.getAttribute("data-business");
      option.hidden = option.disabled = Boolean(of) && of !== business.value;
      if (!option.disabled && !first) first = option;
    }});
    if (number.selectedOptions.length === 0 || number.selectedOptions[0].disabled) first.selected = true;
  }}
  business.addEventListener("change", fit);
  fit();
}})();
</script>"#
    );
    form("Choose your business", request, "choose", &[], &body)
}

pub(super) fn allow(request: &Request, form_before: &Form) -> String {
    let chosen =
        ["business", "number", "scenario"].map(|name| (name, form_before.get(name).unwrap_or_default()));
    form(
        "Allow access",
        request,
        "allow",
        &chosen,
        r#"<p>Sandbox app will be able to:</p>
<ul><li>manage your WhatsApp accounts</li><li>send and receive WhatsApp messages for you</li></ul>
<button id="allow" name="action" value="allow">Allow</button>"#,
    )
}

/// Tells the opener and closes. The posts are also readable in the page, for a client without a window.
pub(super) fn done(request: &Request, posts: &[Post]) -> String {
    let posts = in_script(&serde_json::to_string(posts).unwrap_or_default());
    let origin = in_script(&serde_json::to_string(&request.origin).unwrap_or_default());
    let body = format!(
        r#"<p id="done">Done. This window closes by itself.</p>
<script type="application/json" id="posts">{posts}</script>
<script>
(function () {{
  var posts = JSON.parse(document.getElementById("posts").textContent), origin = {origin};
  function next() {{
    var post = posts.shift();
    if (!post) {{ setTimeout(function () {{ window.close(); }}, 100); return; }}
    setTimeout(function () {{
      if (window.opener) window.opener.postMessage(post.data, origin);
      next();
    }}, post.after_ms);
  }}
  next();
}})();
</script>"#
    );
    shell("Done", &body)
}

pub(super) fn refused(why: &str) -> String {
    shell("This login cannot go on", &format!(r#"<p id="error" role="alert">{}</p>"#, escape(why)))
}

fn form(title: &str, request: &Request, step: &str, hidden: &[(&str, &str)], body: &str) -> String {
    let mut fields = String::new();
    for (name, value) in request.carried().chain(hidden.iter().copied()).chain([("step", step)]) {
        let _ = write!(fields, r#"<input type="hidden" name="{name}" value="{}">"#, escape(value));
    }
    let body = format!(
        r#"<form method="post" action="?">{fields}
{body}
<button id="cancel" name="action" value="cancel" formnovalidate>Cancel</button>
</form>"#
    );
    shell(title, &body)
}

fn shell(title: &str, body: &str) -> String {
    SHELL.replace("{title}", &escape(title)).replace("{body}", body)
}

fn option(out: &mut String, value: &str, label: &str, attributes: &str) {
    let _ = write!(out, r#"<option value="{}"{attributes}>{}</option>"#, escape(value), escape(label));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// JSON that cannot end the script element it stands in.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}
