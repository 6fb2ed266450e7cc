//! English.

use domain::contracts::provider::OnboardProblem as P;
use domain::onboarding::StepName;

use super::{Notice, Problem, Texts, Way, Words};

pub(super) const TEXTS: Texts = Texts {
    lang: "en",
    language: "Language",
    for_business: "For",
    secure_note: "You log in on Facebook's own page. We never see your Facebook password.",
    try_again: "Try again",
    not_now: "Not now",
    open_app: "Go back to the app",
    go_back: "Go back",
    back_to_choice: "Back to the choice",
    go_on: "Continue",
    for_support: "If you ask for help, give these words:",

    choice_title: "Connect WhatsApp",
    choice_lead: "Choose how your business number is connected.",
    cost: "Cost",
    needs: "You need",
    risk: "Risk",
    official: Way {
        title: "Official WhatsApp",
        summary: "Through Meta, the company behind WhatsApp.",
        cost: "Meta charges for messages, by kind and country: promotions cost most.",
        needs: "A Facebook account, and a number that can receive an SMS or a call.",
        risk: "Low. WhatsApp allows it, as long as you write to people who want to hear from you.",
    },
    unofficial: Way {
        title: "Unofficial WhatsApp",
        summary: "Through WhatsApp on your own phone.",
        cost: "Nothing to Meta.",
        needs: "The phone with WhatsApp, switched on and online at all times.",
        risk: "High. WhatsApp does not allow it, and can block your number for good without a warning.",
    },
    recommended: "Recommended",
    not_available: "Not available yet",
    choose_official: "Connect official WhatsApp",
    about_unofficial: "Connect unofficial WhatsApp",
    unofficial_title: "Not available yet",
    unofficial_text: "Connecting WhatsApp from your own phone is not possible here yet. Nothing was changed.",
    unofficial_instead: "You can connect officially today. It takes a few minutes, and WhatsApp allows it.",

    official_title: "Connect official WhatsApp",
    official_lead: "Facebook opens in a window of its own. Choose your business and your number there, and allow access. It takes a few minutes.",
    ready_title: "Have these ready",
    ready: [
        "Your Facebook account and its password",
        "The name of your business",
        "A number that can receive an SMS or a call now, and is not used in a WhatsApp app",
    ],
    connect: "Connect with Facebook",
    connect_note: "Whoever gave you this link will be able to send and receive WhatsApp messages with your number. You can take that back at any time.",
    loading: Words { title: "Opening Facebook…", advice: "On a slow network this can take half a minute." },
    open: Words { title: "Facebook is ready", advice: "Tap once more to open its window." },
    open_button: "Continue with Facebook",
    waiting: Words {
        title: "Finish in Facebook's window",
        advice: "Choose your business and number there. This page goes on by itself when you are done.",
    },
    show_window: "Show the window",
    start_again: "Start again",
    same_tab: "No window, or it does not respond?",
    same_tab_button: "Continue in this page",
    blocked: Words {
        title: "The window was blocked",
        advice: "Your browser did not let Facebook open a window. Continue in this page instead.",
    },
    no_network: Words {
        title: "Facebook cannot be reached",
        advice: "Look at your network, then try again. Or continue in this page.",
    },
    progress: Words {
        title: "Connecting your number",
        advice: "Please wait. This usually takes less than ten seconds.",
    },
    progress_slow: "This takes longer than usual. If nothing happens, start again: nothing is lost.",
    step_states: ["waiting", "in progress", "done", "not needed", "failed"],
    offline: "No network. We keep trying.",
    numbers_title: "Which number?",
    numbers_lead: "Facebook gave us several numbers. Choose the one to connect.",
    numbers_button: "Connect this number",
    number_unverified: "not confirmed yet",
    connected_title: "WhatsApp is connected",
    connected_lead: "You can send and receive messages with this number now.",
    name: "Name",
    number: "Number",
    quality: "Quality",
    qualities: ["Good", "Medium", "Low", "Not rated yet"],
    next_title: "What next?",
    next: [
        "Meta sends its bills to you. Add a card in WhatsApp Manager, so that messages you start can be sent.",
        "Customers may see another name until Meta has approved yours. That can take a day or two.",
    ],
    close_page: "You can close this page.",
};

pub(super) const fn problem(problem: Problem) -> Words {
    let (title, advice) = match problem {
        Problem::Provider(problem) => of_provider(problem),
        Problem::UserCancelled => (
            "You stopped before the end",
            "Nothing was connected and nothing has changed. When you are ready, try again.",
        ),
        Problem::WindowFailed => (
            "Facebook's window could not finish",
            "Facebook reported an error. Wait a moment, then try again.",
        ),
        Problem::CodeMissing => (
            "Facebook did not give its permission",
            "The window closed before the last step. Try again, and press the last button in Facebook's window too.",
        ),
        Problem::NumberInUse => (
            "This number is connected already",
            "It is in use by somebody else here. Choose another number, or disconnect it there first.",
        ),
        Problem::ChooseNumber => ("Which number?", "Choose the number to connect."),
        Problem::Interrupted => (
            "The last attempt was interrupted",
            "Please click again. Facebook has to give its permission anew; nothing is lost.",
        ),
        Problem::Unavailable => {
            ("We could not finish just now", "The fault is on our side. Please click again in a minute.")
        }
        Problem::Cancelled => (
            "This attempt was cancelled",
            "Nothing was connected. Ask for a new link when you want to connect.",
        ),
        Problem::Superseded => (
            "There is a newer link",
            "Another link was made for this business after this one. Please use the newer one.",
        ),
        Problem::Expired => (
            "This link has expired",
            "A link is good for a limited time. Go back to the app and ask for a new one.",
        ),
    };
    Words { title, advice }
}

const fn of_provider(problem: P) -> (&'static str, &'static str) {
    match problem {
        P::CodeExpired => (
            "That took a little too long",
            "Facebook's permission is good for 30 seconds only and came too late. Please click again.",
        ),
        P::CodeUsed => (
            "This permission was used already",
            "Facebook's permission works once. Please click again to get a new one.",
        ),
        P::RedirectMismatch => (
            "Facebook does not know this page",
            "The fault is in our settings, not with you. Please tell whoever gave you the link.",
        ),
        P::TokenInvalid => ("Facebook's permission is not valid", "Please click again and log in once more."),
        P::ScopeMissing => (
            "A permission is missing",
            "Leave every permission switched on in Facebook's window. Without all of them no message can be sent.",
        ),
        P::WabaNotGranted => (
            "We may not use this WhatsApp account",
            "Try again. In Facebook's window choose the business that you manage yourself, and allow access to it.",
        ),
        P::NoNumber => (
            "No phone number was chosen",
            "Try again, and choose a number in Facebook's window or add one there.",
        ),
        P::NumberUnverified => (
            "The number is not confirmed yet",
            "Try again, and type the code that WhatsApp sends by SMS or call.",
        ),
        P::PinWrong => (
            "The number is protected by a PIN",
            "Somebody set a two-step PIN for this number. Switch two-step verification off in WhatsApp Manager, then try again.",
        ),
        P::PinLocked => (
            "The PIN is locked",
            "A wrong PIN was given too often. WhatsApp locks it for some hours. Try again tomorrow.",
        ),
        P::RegistrationLocked => (
            "WhatsApp asks you to wait",
            "The number was registered too often in a short time. Try again after three days (72 hours).",
        ),
        P::NotAllowed => (
            "Meta does not allow it for this account",
            "Look in Meta Business Suite for a warning or a request for documents. Settle it there, then try again.",
        ),
        P::ProviderUnavailable => (
            "Facebook does not answer at the moment",
            "That is not your fault. Wait a minute, then click again.",
        ),
        P::ProviderRefused => (
            "Facebook refused the last step",
            "Try again. If it happens a second time, ask whoever gave you the link for help.",
        ),
    }
}

pub(super) const fn notice(notice: Notice) -> Words {
    let (title, advice) = match notice {
        Notice::NoSession => (
            "Open your link again",
            "This page belongs to a link that was opened in another browser, or too long ago. Open the link you were given.",
        ),
        Notice::LinkUnknown => (
            "This link is not known",
            "Perhaps a part of it is missing. Open it again as you received it, or ask for a new one.",
        ),
        Notice::OtherBrowser => (
            "This link was opened in another browser",
            "For your safety a link works only in the browser that opened it first. Go on there, or ask for a new link.",
        ),
        Notice::Preview => ("Connect WhatsApp", "Open this link in your browser to begin."),
        Notice::Forged => (
            "This answer is not for you",
            "It does not belong to what was begun in this browser. Nothing was saved. Go back and start again.",
        ),
        Notice::Spent => (
            "This answer was used already",
            "Each answer from Facebook counts once. Go on, and start again if it is needed.",
        ),
        Notice::Malformed => ("That did not arrive whole", "Go back and try again."),
        Notice::NotFound => ("There is no such page", "Open the link you were given."),
        Notice::TooMany => ("Too many attempts", "Wait a minute, then try again."),
        Notice::Unavailable => {
            ("We cannot answer just now", "The fault is on our side. Try again in a minute; nothing is lost.")
        }
    };
    Words { title, advice }
}

pub(super) const fn step(step: StepName) -> &'static str {
    match step {
        StepName::ExchangeCode => "Permission from Facebook",
        StepName::InspectToken => "Permission checked",
        StepName::ChooseNumber => "Number found",
        StepName::Subscribe => "Incoming messages switched on",
        StepName::Register => "Number registered",
        StepName::Connect => "Saved and connected",
    }
}
