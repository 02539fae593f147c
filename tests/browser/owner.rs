//! What an owner may do, and that everybody sees it done.

use fantoccini::key::Key;

use crate::scene::Scene;

#[tokio::test]
async fn an_owner_changes_a_room_before_everybodys_eyes() {
    let scene = Scene::set().await;

    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("Buy cheap watches").await;
    ana.reads(&["Welcome", "Buy cheap watches"]).await;

    // Anybody's message can be deleted, and shows as removed by the owner.
    ana.press_in("Buy cheap watches", "More").await;
    ana.press("Delete").await;
    ana.sees("You own the room: it is erased for everyone").await;
    ana.press("Delete").await;
    for person in [&ana, &ben] {
        person.sees("Removed by the owner").await;
        person.sees_no("Buy cheap watches").await;
    }
    let blanked: i64 =
        scene.server.database().value("SELECT count(*) FROM event WHERE kind = 'message' AND body = ''", []);
    assert_eq!(blanked, 1, "it is erased on the server too");
    ben.press_in("Welcome", "More").await;
    ben.sees("Copy text").await;
    assert!(!ben.shows("dialog .danger").await, "Ben may not delete Ana's");
    ben.press("Close").await;

    ana.press("Manage room").await;
    ana.fill("Room name", "Watch club").await;
    ana.select("Room expires", "After 7 days of quiet").await;
    ana.select("Messages disappear", "After 1 day").await;
    ana.press("Save").await;
    for person in [&ana, &ben] {
        person.sees("The owner called the room “Watch club”").await;
        person.sees("The owner lets messages disappear after 1 day").await;
        person.sees("The owner lets the room expire 7 days after the last message").await;
        person.finds("the title is the room's name", "return document.title.includes('Watch club')").await;
    }

    ana.press("Manage room").await;
    // It acts at once, and leaves alone what is being filled in beside it.
    ana.fill("Room name", "Not saved yet").await;
    ana.press("Lock the room").await;
    ana.sees_at("[role=switch][aria-checked=true]").await;
    ana.finds("the field is as it was", "return document.querySelector('[name=title]').value === 'Not saved yet'")
        .await;
    ana.press("Close").await;
    ana.sees("Leave without saving?").await;
    ana.press("Cancel").await;
    ana.keys(&Key::Escape.to_string()).await;
    ana.sees("Leave without saving?").await;
    ana.press("Discard changes").await;
    ana.sees_no("You own this room").await;
    ben.sees("The owner locked the room.").await;
    ben.sees("The owner has locked this room").await;
    assert!(!ben.shows("textarea").await, "Ben cannot write");
    ana.say("Only I can speak now").await;
    ben.sees("Only I can speak now").await;

    // What the owner pinned stands under the room's name, for everyone, and leads there.
    ana.has_sent_all().await;
    ana.press_in("Only I can speak now", "More").await;
    ana.press("Pin for everyone").await;
    for person in [&ana, &ben] {
        person.sees("The owner pinned a message.").await;
        person.sees_at(".pins-press").await;
    }
    let pinned = "return document.querySelector('.pins-press').textContent === 'Pinned Ana: Only I can speak now'";
    ben.finds("what is pinned", pinned).await;
    ben.press_css(".pins-press").await;
    ben.finds("the message has the focus", "return document.activeElement.textContent.includes('Only I can speak')")
        .await;
    ana.press_in("Only I can speak now", "More").await;
    ana.press("Unpin").await;
    ben.finds("nothing is pinned", "return !document.querySelector('.pins').checkVisibility()").await;

    ana.press("Manage room").await;
    ana.press("Lock the room").await;
    ana.press("Close").await;
    ben.sees("The owner unlocked the room.").await;
    ben.say("Thank you").await;
    ana.reads(&["Welcome", "Removed by the owner", "Only I can speak now", "Thank you"]).await;

    // A member manages less.
    ben.press("Manage room").await;
    ben.sees_no("You own this room").await;
    ben.press("Me").await;
    ben.sees("In this browser").await;
    ben.press("Danger").await;
    ben.sees("Forget this room").await;
    ben.sees_no("Delete the room").await;
    ben.press("Close").await;

    // Asked twice, and each time one may think better of it.
    for asked in 1..=2 {
        ana.press("Manage room").await;
        ana.press("Danger").await;
        ana.press("Delete the room").await;
        if asked == 2 {
            ana.press("Delete the room…").await;
            ana.sees("This is the last question").await;
        }
        ana.press("Cancel").await;
        ana.press("Close").await;
    }
    ben.say("Still here").await;
    ana.sees("Still here").await;
    ana.press("Manage room").await;
    ana.press("Danger").await;
    ana.press("Delete the room").await;
    ana.press("Delete the room…").await;
    ana.press("Delete for everyone").await;
    for person in [&ana, &ben] {
        person.sees("This room was deleted").await;
        person.sees_no("Still here").await;
    }
    let left: i64 = scene.server.database().value("SELECT count(*) FROM room WHERE deleted_at_ms = 0", []);
    assert_eq!(left, 0);
}
