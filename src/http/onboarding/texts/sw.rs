//! Swahili.

use domain::contracts::provider::OnboardProblem as P;
use domain::onboarding::StepName;

use super::{Notice, Problem, Texts, Way, Words};

pub(super) const TEXTS: Texts = Texts {
    lang: "sw",
    language: "Lugha",
    for_business: "Kwa",
    secure_note: "Unaingia kwenye ukurasa wa Facebook wenyewe. Sisi hatuoni neno lako la siri la Facebook.",
    try_again: "Jaribu tena",
    not_now: "Si sasa",
    open_app: "Rudi kwenye programu",
    go_back: "Rudi ulikotoka",
    back_to_choice: "Rudi kwenye uchaguzi",
    go_on: "Endelea",
    for_support: "Ukiomba msaada, toa maneno haya:",

    choice_title: "Unganisha WhatsApp",
    choice_lead: "Chagua jinsi namba ya biashara yako itakavyounganishwa.",
    cost: "Gharama",
    needs: "Unahitaji",
    risk: "Hatari",
    official: Way {
        title: "WhatsApp Rasmi",
        summary: "Kupitia Meta, kampuni yenye WhatsApp.",
        cost: "Meta hutoza ujumbe kulingana na aina na nchi: matangazo ndiyo ghali zaidi.",
        needs: "Akaunti ya Facebook, na namba inayoweza kupokea SMS au simu.",
        risk: "Ndogo. WhatsApp inaruhusu, mradi unawaandikia watu wanaotaka kusikia kutoka kwako.",
    },
    unofficial: Way {
        title: "WhatsApp Isiyo rasmi",
        summary: "Kupitia WhatsApp iliyo kwenye simu yako.",
        cost: "Hulipi chochote kwa Meta.",
        needs: "Simu yenye WhatsApp, iwe imewashwa na iko mtandaoni wakati wote.",
        risk: "Kubwa. WhatsApp hairuhusu, na inaweza kuifunga namba yako moja kwa moja bila onyo.",
    },
    recommended: "Inapendekezwa",
    not_available: "Bado haipatikani",
    choose_official: "Unganisha WhatsApp rasmi",
    about_unofficial: "Unganisha WhatsApp isiyo rasmi",
    unofficial_title: "Bado haipatikani",
    unofficial_text: "Kuunganisha WhatsApp kutoka kwenye simu yako bado hakuwezekani hapa. Hakuna kilichobadilishwa.",
    unofficial_instead: "Unaweza kuunganisha kwa njia rasmi leo. Inachukua dakika chache, na WhatsApp inaruhusu.",

    official_title: "Unganisha WhatsApp rasmi",
    official_lead: "Facebook itafunguka kwenye dirisha lake. Humo chagua biashara yako na namba yako, kisha ruhusu. Inachukua dakika chache.",
    ready_title: "Andaa vitu hivi",
    ready: [
        "Akaunti yako ya Facebook na neno lake la siri",
        "Jina la biashara yako",
        "Namba inayoweza kupokea SMS au simu sasa hivi, na ambayo haitumiki kwenye programu ya WhatsApp",
    ],
    connect: "Unganisha kwa Facebook",
    connect_note: "Aliyekupa kiungo hiki ataweza kutuma na kupokea ujumbe wa WhatsApp kwa namba yako. Unaweza kuondoa ruhusa hiyo wakati wowote.",
    loading: Words {
        title: "Facebook inafunguka…",
        advice: "Mtandao ukiwa wa polepole inaweza kuchukua nusu dakika.",
    },
    open: Words { title: "Facebook iko tayari", advice: "Gusa mara moja tena ili dirisha lake lifunguke." },
    open_button: "Endelea na Facebook",
    waiting: Words {
        title: "Malizia kwenye dirisha la Facebook",
        advice: "Humo chagua biashara na namba yako. Ukimaliza, ukurasa huu utaendelea wenyewe.",
    },
    show_window: "Onyesha dirisha",
    start_again: "Anza upya",
    same_tab: "Dirisha halionekani, au halijibu?",
    same_tab_button: "Endelea kwenye ukurasa huu",
    blocked: Words {
        title: "Dirisha limezuiwa",
        advice: "Kivinjari chako hakikuruhusu Facebook kufungua dirisha. Endelea kwenye ukurasa huu.",
    },
    no_network: Words {
        title: "Facebook haipatikani",
        advice: "Angalia mtandao wako, kisha jaribu tena. Au endelea kwenye ukurasa huu.",
    },
    progress: Words {
        title: "Namba yako inaunganishwa",
        advice: "Tafadhali subiri. Kwa kawaida haizidi sekunde kumi.",
    },
    progress_slow: "Inachukua muda kuliko kawaida. Kama hakuna kinachotokea, anza upya: hakuna kinachopotea.",
    step_states: ["inasubiri", "inaendelea", "tayari", "haihitajiki", "imeshindikana"],
    offline: "Hakuna mtandao. Tunaendelea kujaribu.",
    numbers_title: "Namba ipi?",
    numbers_lead: "Facebook imetupa namba kadhaa. Chagua ile ya kuunganisha.",
    numbers_button: "Unganisha namba hii",
    number_unverified: "bado haijathibitishwa",
    connected_title: "WhatsApp imeunganishwa",
    connected_lead: "Sasa unaweza kutuma na kupokea ujumbe kwa namba hii.",
    name: "Jina",
    number: "Namba ya simu",
    quality: "Ubora",
    qualities: ["Mzuri", "Wa kati", "Mdogo", "Bado haujapimwa"],
    next_title: "Kinachofuata",
    next: [
        "Meta itakutoza wewe moja kwa moja. Weka kadi kwenye WhatsApp Manager, ili ujumbe unaouanzisha uweze kutumwa.",
        "Wateja wanaweza kuona jina jingine hadi Meta ilikubali jina lako. Inaweza kuchukua siku moja au mbili.",
    ],
    close_page: "Unaweza kufunga ukurasa huu.",
};

pub(super) const fn problem(problem: Problem) -> Words {
    let (title, advice) = match problem {
        Problem::Provider(problem) => of_provider(problem),
        Problem::UserCancelled => (
            "Umeacha kabla ya mwisho",
            "Hakuna kilichounganishwa na hakuna kilichobadilika. Ukiwa tayari, jaribu tena.",
        ),
        Problem::WindowFailed => (
            "Dirisha la Facebook halikuweza kumaliza",
            "Facebook imeripoti kosa. Subiri kidogo, kisha jaribu tena.",
        ),
        Problem::CodeMissing => (
            "Facebook haikutoa ruhusa yake",
            "Dirisha limefungwa kabla ya hatua ya mwisho. Jaribu tena, na ubonyeze pia kitufe cha mwisho kwenye dirisha la Facebook.",
        ),
        Problem::NumberInUse => (
            "Namba hii imeshaunganishwa",
            "Inatumiwa na mwingine hapa. Chagua namba nyingine, au itenganishe huko kwanza.",
        ),
        Problem::ChooseNumber => ("Namba ipi?", "Chagua namba ya kuunganisha."),
        Problem::Interrupted => (
            "Jaribio lililopita lilikatizwa",
            "Tafadhali bonyeza tena. Facebook inapaswa kutoa ruhusa upya; hakuna kilichopotea.",
        ),
        Problem::Unavailable => (
            "Hatukuweza kumaliza kwa sasa",
            "Kosa liko upande wetu. Tafadhali bonyeza tena baada ya dakika moja.",
        ),
        Problem::Cancelled => (
            "Jaribio hili limeghairiwa",
            "Hakuna kilichounganishwa. Omba kiungo kipya utakapotaka kuunganisha.",
        ),
        Problem::Superseded => (
            "Kuna kiungo kipya zaidi",
            "Kiungo kingine cha biashara hii kimetengenezwa baada ya hiki. Tafadhali tumia kile kipya.",
        ),
        Problem::Expired => (
            "Muda wa kiungo hiki umeisha",
            "Kiungo hutumika kwa muda maalum. Rudi kwenye programu na uombe kiungo kipya.",
        ),
    };
    Words { title, advice }
}

const fn of_provider(problem: P) -> (&'static str, &'static str) {
    match problem {
        P::CodeExpired => (
            "Imechukua muda mrefu kidogo",
            "Ruhusa ya Facebook hudumu sekunde 30 tu, na imechelewa kufika. Tafadhali bonyeza tena.",
        ),
        P::CodeUsed => (
            "Ruhusa hii imeshatumika",
            "Ruhusa ya Facebook hutumika mara moja. Tafadhali bonyeza tena ili upate mpya.",
        ),
        P::RedirectMismatch => (
            "Facebook haiutambui ukurasa huu",
            "Kosa liko kwenye mipangilio yetu, si kwako. Tafadhali mwambie aliyekupa kiungo.",
        ),
        P::TokenInvalid => ("Ruhusa ya Facebook si halali", "Tafadhali bonyeza tena na uingie upya."),
        P::ScopeMissing => (
            "Kuna ruhusa inayokosekana",
            "Acha ruhusa zote zikiwa zimewashwa kwenye dirisha la Facebook. Bila hizo zote ujumbe hauwezi kutumwa.",
        ),
        P::WabaNotGranted => (
            "Haturuhusiwi kutumia akaunti hii ya WhatsApp",
            "Jaribu tena. Kwenye dirisha la Facebook chagua biashara unayoisimamia mwenyewe, kisha iruhusu.",
        ),
        P::NoNumber => (
            "Hakuna namba ya simu iliyochaguliwa",
            "Jaribu tena, na uchague namba kwenye dirisha la Facebook au uiongeze humo.",
        ),
        P::NumberUnverified => (
            "Namba bado haijathibitishwa",
            "Jaribu tena, na uandike msimbo ambao WhatsApp inatuma kwa SMS au kwa simu.",
        ),
        P::PinWrong => (
            "Namba inalindwa kwa PIN",
            "Kuna mtu aliweka PIN ya hatua mbili kwa namba hii. Zima uthibitisho wa hatua mbili kwenye WhatsApp Manager, kisha jaribu tena.",
        ),
        P::PinLocked => (
            "PIN imefungwa",
            "PIN isiyo sahihi imetumika mara nyingi mno. WhatsApp huifunga kwa saa kadhaa. Jaribu tena kesho.",
        ),
        P::RegistrationLocked => (
            "WhatsApp inakuomba usubiri",
            "Namba imesajiliwa mara nyingi mno kwa muda mfupi. Jaribu tena baada ya siku tatu (saa 72).",
        ),
        P::NotAllowed => (
            "Meta hairuhusu kwa akaunti hii",
            "Angalia kwenye Meta Business Suite kama kuna onyo au ombi la nyaraka. Limalize huko, kisha jaribu tena.",
        ),
        P::ProviderUnavailable => {
            ("Facebook haijibu kwa sasa", "Si kosa lako. Subiri dakika moja, kisha bonyeza tena.")
        }
        P::ProviderRefused => (
            "Facebook imekataa hatua ya mwisho",
            "Jaribu tena. Ikitokea mara ya pili, omba msaada kwa aliyekupa kiungo.",
        ),
    }
}

pub(super) const fn notice(notice: Notice) -> Words {
    let (title, advice) = match notice {
        Notice::NoSession => (
            "Fungua kiungo chako tena",
            "Ukurasa huu ni wa kiungo kilichofunguliwa kwenye kivinjari kingine, au muda mrefu uliopita. Fungua kiungo ulichopewa.",
        ),
        Notice::LinkUnknown => (
            "Kiungo hiki hakijulikani",
            "Huenda sehemu yake haipo. Kifungue tena kama ulivyokipokea, au omba kipya.",
        ),
        Notice::OtherBrowser => (
            "Kiungo hiki kilifunguliwa kwenye kivinjari kingine",
            "Kwa usalama wako, kiungo hufanya kazi tu kwenye kivinjari kilichokifungua kwanza. Endelea huko, au omba kiungo kipya.",
        ),
        Notice::Preview => ("Unganisha WhatsApp", "Fungua kiungo hiki kwenye kivinjari chako ili uanze."),
        Notice::Forged => (
            "Jibu hili si lako",
            "Halihusiani na kilichoanzishwa kwenye kivinjari hiki. Hakuna kilichohifadhiwa. Rudi nyuma na uanze upya.",
        ),
        Notice::Spent => (
            "Jibu hili limeshatumika",
            "Kila jibu la Facebook huhesabika mara moja. Endelea, na uanze upya ikihitajika.",
        ),
        Notice::Malformed => ("Haikufika kamili", "Rudi nyuma na ujaribu tena."),
        Notice::NotFound => ("Hakuna ukurasa kama huo", "Fungua kiungo ulichopewa."),
        Notice::TooMany => ("Umejaribu mara nyingi mno", "Subiri dakika moja, kisha jaribu tena."),
        Notice::Unavailable => (
            "Hatuwezi kujibu kwa sasa",
            "Kosa liko upande wetu. Jaribu tena baada ya dakika moja; hakuna kilichopotea.",
        ),
    };
    Words { title, advice }
}

pub(super) const fn step(step: StepName) -> &'static str {
    match step {
        StepName::ExchangeCode => "Ruhusa kutoka Facebook",
        StepName::InspectToken => "Ruhusa imekaguliwa",
        StepName::ChooseNumber => "Namba imepatikana",
        StepName::Subscribe => "Ujumbe unaoingia umewashwa",
        StepName::Register => "Namba imesajiliwa",
        StepName::Connect => "Imehifadhiwa na kuunganishwa",
    }
}
