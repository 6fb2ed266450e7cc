//! A list of templates replaces the one before it, and news about one template is not undone by an older list.

use domain::clock::Timestamp;
use domain::connection::{Connection, ConnectionStatus, ProviderName};
use domain::contracts::store::Page;
use domain::contracts::templates::Waba;
use domain::news::Quality;
use domain::template::{
    Category, Part, Places, Shape, Template, TemplateChange, TemplateList, TemplateNews, TemplateStatus,
};

use crate::connections::connection;
use crate::support::{Fixture, Shared, at, business, claims};

claims! {
    a_list_of_templates_reads_back_and_replaces_the_one_before
    accounts_do_not_see_each_others_templates
    news_about_a_template_is_newer_than_a_list_that_was_asked_for_before
    older_news_does_not_undo_newer_and_news_about_nothing_changes_nothing
    a_new_template_is_known_from_its_first_news_and_filled_by_anything_until_it_is_listed
    a_template_that_is_listed_twice_stands_once
    accounts_are_due_when_they_were_not_listed_lately_each_through_one_number_that_sends
    the_accounts_that_have_a_template_are_found_by_its_id
    templates_go_with_the_last_business_of_their_account
}

fn waba(id: &str) -> Waba {
    Waba { provider: ProviderName::Meta, id: id.to_owned() }
}

fn template(name: &str, language: &str) -> Template {
    Template {
        id: Some(format!("id of {name} in {language}")),
        name: name.to_owned(),
        language: language.to_owned(),
        status: TemplateStatus::new(TemplateStatus::APPROVED),
        category: Some(Category::Utility),
        quality: Quality::Green,
        shape: Shape { main: Part { body: Places::Numbered(2), ..Part::default() }, ..Shape::default() },
    }
}

async fn known(store: &Shared, id: &str) -> TemplateList {
    store.templates(&waba(id)).await.unwrap().expect("it was listed")
}

fn news(name: &str, change: TemplateChange) -> TemplateNews {
    TemplateNews { id: Some("7".to_owned()), name: name.to_owned(), language: "sw".to_owned(), change }
}

fn paused() -> TemplateChange {
    TemplateChange::Status(TemplateStatus::new(TemplateStatus::PAUSED))
}

async fn statuses(store: &Shared) -> Vec<(String, String)> {
    let list = known(store, "1").await;
    let pair = |template: &Template| (template.name.clone(), template.status.to_string());
    list.templates().iter().map(pair).collect()
}

async fn a_list_of_templates_reads_back_and_replaces_the_one_before(store: Shared) {
    assert_eq!(store.templates(&waba("1")).await.unwrap(), None);
    let many: Vec<_> = (0..700).map(|number| template(&format!("t{number:03}"), "sw")).collect();
    store.save_templates(&waba("1"), &many, at(0)).await.unwrap();
    assert_eq!(known(&store, "1").await, TemplateList::new(at(0), many));
    let odd = Template { category: None, quality: Quality::Unknown, ..template("t001", "en_US") };
    let few = [odd, template("new\0name", "sw")];
    store.save_templates(&waba("1"), &few, at(10)).await.unwrap();
    let list = known(&store, "1").await;
    assert_eq!(list.synced_at(), at(10));
    assert_eq!(list.templates().len(), 2);
    assert_eq!(list.named("t001"), &few[..1]);
    store.save_templates(&waba("1"), &[], at(20)).await.unwrap();
    assert_eq!(known(&store, "1").await, TemplateList::new(at(20), Vec::new()));
}

async fn accounts_do_not_see_each_others_templates(store: Shared) {
    store.save_templates(&waba("1"), &[template("a", "sw")], at(0)).await.unwrap();
    store.save_templates(&waba("2"), &[template("b", "sw")], at(5)).await.unwrap();
    let other = Waba { provider: ProviderName::Dialog360, id: "1".to_owned() };
    assert_eq!(store.templates(&other).await.unwrap(), None);
    assert!(store.change_template(&waba("2"), &news("a", paused()), at(6)).await.unwrap());
    assert_eq!(known(&store, "1").await.templates(), [template("a", "sw")]);
    assert_eq!(known(&store, "2").await.templates().len(), 2);
}

async fn the_accounts_that_have_a_template_are_found_by_its_id(store: Shared) {
    let one = template("a", "sw");
    let id = one.id.clone().unwrap();
    assert_eq!(store.accounts_with_template(&id).await.unwrap(), []);
    store.save_templates(&waba("1"), &[one], at(0)).await.unwrap();
    assert_eq!(store.accounts_with_template(&id).await.unwrap(), [waba("1")]);
    store.save_templates(&waba("1"), &[template("b", "sw")], at(1)).await.unwrap();
    assert_eq!(store.accounts_with_template(&id).await.unwrap(), []);
}

async fn news_about_a_template_is_newer_than_a_list_that_was_asked_for_before(store: Shared) {
    let list = [template("a", "sw"), template("b", "sw")];
    store.save_templates(&waba("1"), &list, at(0)).await.unwrap();
    assert!(store.change_template(&waba("1"), &news("a", paused()), at(12)).await.unwrap());
    let marketing = TemplateChange::Category(Category::Marketing);
    assert!(store.change_template(&waba("1"), &news("b", marketing), at(8)).await.unwrap());
    store.save_templates(&waba("1"), &list, at(10)).await.unwrap();
    let now = known(&store, "1").await;
    assert_eq!(now.named("a")[0].status.as_str(), "PAUSED");
    assert_eq!(now.named("b")[0].category, Some(Category::Utility));
    store.save_templates(&waba("1"), &list[1..], at(11)).await.unwrap();
    assert_eq!(statuses(&store).await.len(), 2, "what was told later is not dropped for an older list");
    store.save_templates(&waba("1"), &list[1..], at(13)).await.unwrap();
    assert_eq!(statuses(&store).await, [("b".to_owned(), "APPROVED".to_owned())]);
}

async fn older_news_does_not_undo_newer_and_news_about_nothing_changes_nothing(store: Shared) {
    store.save_templates(&waba("1"), &[template("a", "sw")], at(0)).await.unwrap();
    let tell = async |change, at: Timestamp| {
        store.change_template(&waba("1"), &news("a", change), at).await.unwrap()
    };
    assert!(tell(paused(), at(5)).await);
    assert!(tell(TemplateChange::Quality(Quality::Red), at(5)).await);
    let approved = TemplateChange::Status(TemplateStatus::new(TemplateStatus::APPROVED));
    assert!(!tell(approved, at(4)).await);
    assert!(!tell(TemplateChange::Components, at(6)).await);
    let template = known(&store, "1").await.named("a")[0].clone();
    assert_eq!((template.status.as_str(), template.quality), ("PAUSED", Quality::Red));
    let red = TemplateChange::Quality(Quality::Red);
    assert!(!store.change_template(&waba("1"), &news("z", red), at(9)).await.unwrap());
}

async fn a_new_template_is_known_from_its_first_news_and_filled_by_anything_until_it_is_listed(
    store: Shared,
) {
    store.save_templates(&waba("1"), &[template("a", "sw")], at(0)).await.unwrap();
    let approved = TemplateChange::Status(TemplateStatus::new(TemplateStatus::APPROVED));
    assert!(store.change_template(&waba("1"), &news("new", approved), at(5)).await.unwrap());
    let new = known(&store, "1").await.named("new")[0].clone();
    assert_eq!((new.status.sends(), new.category, new.shape), (true, None, Shape::default()));
    assert_eq!(new.id.as_deref(), Some("7"), "it can be edited before it is listed");
    store.save_templates(&waba("1"), &[template("new", "sw")], at(9)).await.unwrap();
    assert_eq!(known(&store, "1").await.templates(), [template("new", "sw")]);
    assert!(store.change_template(&waba("1"), &news("gone", paused()), at(10)).await.unwrap());
    store.save_templates(&waba("1"), &[], at(11)).await.unwrap();
    assert_eq!(known(&store, "1").await.templates(), []);
}

async fn a_template_that_is_listed_twice_stands_once(store: Shared) {
    let twice = [template("a", "sw"), Template { quality: Quality::Red, ..template("a", "sw") }];
    store.save_templates(&waba("1"), &twice, at(0)).await.unwrap();
    assert_eq!(known(&store, "1").await.templates().len(), 1);
}

async fn accounts_are_due_when_they_were_not_listed_lately_each_through_one_number_that_sends(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let save = async |id: &str, status| {
        let connection = Connection { waba_id: Some(id.to_owned()), status, ..connection(&fixture) };
        store.save_connection(&connection, None).await.unwrap();
        connection.id
    };
    let listed_lately = save("1", ConnectionStatus::Connected).await;
    let listed_before = save("2", ConnectionStatus::Degraded).await;
    let never = save("3", ConnectionStatus::Connected).await;
    let _another_number = save("3", ConnectionStatus::Connected).await;
    let _gone = save("4", ConnectionStatus::Disconnected).await;
    store.save_templates(&waba("1"), &[], at(50)).await.unwrap();
    store.save_templates(&waba("2"), &[], at(40)).await.unwrap();
    let due =
        async |before, after, limit| store.accounts_to_list(at(before), Page { after, limit }).await.unwrap();
    assert_eq!(due(0, None, 10).await, [never]);
    assert_eq!(due(41, None, 10).await, [listed_before, never]);
    assert_eq!(due(51, None, 10).await, [listed_lately, listed_before, never]);
    assert_eq!(due(51, Some(listed_lately), 1).await, [listed_before]);
    assert_eq!(due(51, Some(never), 10).await, []);
}

async fn templates_go_with_the_last_business_of_their_account(store: Shared) {
    let fixture = Fixture::new(store.clone()).await;
    let other = business(&store, fixture.account, "another").await;
    let of = |business: &domain::Business| Connection {
        business: business.key,
        business_reference: business.reference.clone(),
        ..connection(&fixture)
    };
    for business in [&fixture.business, &other] {
        store.save_connection(&of(business), None).await.unwrap();
    }
    store.save_templates(&waba("2001"), &[template("a", "sw")], at(0)).await.unwrap();
    store.erase_business(other.key).await.unwrap();
    assert_eq!(known(&store, "2001").await.templates().len(), 1);
    store.erase_business(fixture.business.key).await.unwrap();
    assert_eq!(store.templates(&waba("2001")).await.unwrap(), None);
}
