"""Problems of acceptances, plans and databases; what a guard says is in its own entry."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error, warning
from reconciler.diagnostics.words import N_

PLANS = {
    "MBX511": warning(
        N_('the acceptance of "{guard}" for "{partner}" was not needed'),
        N_("No guard asked for {guard}={count}."),
        N_("Remove it."),
    ),
    "MBX512": warning(
        N_('the acceptance of "{guard}" for "{partner}" is over'),
        N_("It was good until {until}, in UTC."),
        N_("Remove it, or give it another day."),
    ),
    "MBX513": warning(
        N_('the acceptance of "{guard}" for "{partner}" is used up'),
        N_("An earlier revision has used it; it counts once."),
        N_("Remove it. For another change write another reason or day."),
    ),
    "MBX520": error(
        N_("{address} has changed since the plan was made"),
        N_("planned from: {before}; now: {now}; wanted: {after}"),
        N_("Make a new plan. Nothing was applied."),
    ),
    "MBX521": error(
        N_("{file} was altered"),
        N_("{reason}"),
        N_("Make a new plan. Nothing was applied."),
    ),
    "MBX522": error(
        N_("the plan is for another database"),
        N_("It is for {planned}; this is {found}."),
        N_("Check the database URL, or make a new plan. Nothing was applied."),
    ),
    "MBX523": error(
        N_("{file} is no plan"),
        N_("{reason}"),
        N_("Give a file that plan -o has written."),
    ),
    "MBX524": error(
        N_("{file} was made by a newer version of the tool"),
        N_("Its format is {found}; this version knows {known}."),
        N_("Use that version, or make a new plan. Nothing was applied."),
    ),
    "MBX525": error(
        N_("{address} does not read as it was written"),
        N_("now: {now}; wanted: {after}"),
        N_("Everything was rolled back. Look for triggers or column limits of the database."),
    ),
    "MBX526": error(
        N_("{file} cannot be written"),
        N_("The system says: {reason}."),
        N_("Check the folder and who may write there."),
    ),
    "MBX527": error(
        N_("the plan was applied before"),
        N_("It is revision {number} of this database."),
        N_("Make a new plan. Nothing was applied."),
    ),
    "MBX530": error(
        N_("no database is given"),
        N_("Where CI is set there is no default."),
        N_("Set RECONCILER_DATABASE_URL, or database in the settings."),
    ),
    "MBX531": error(
        N_("the database cannot be reached"),
        N_("{url}: {reason}"),
        N_("Check the URL, the network and the login."),
    ),
    "MBX532": error(
        N_("the database has an older schema"),
        N_("It has {revision}; this version of the tool works with {wanted}."),
        N_("Run: reconciler db upgrade"),
    ),
    "MBX533": error(
        N_("the database has a newer schema"),
        N_("It has {revision}; this version of the tool works with {wanted}."),
        N_("Update the tool: pip install --upgrade reconciler"),
    ),
    "MBX534": error(
        N_("this is another database than the settings name"),
        N_("The settings name {wanted}; this is {found}."),
        N_("Check the database URL; reconciler db status shows the id."),
    ),
    "MBX535": error(
        N_("another process holds the database"),
        N_("It was not free in time, or a row of it that is needed."),
        N_("Try again when the other has ended, or wait longer with --lock-timeout."),
    ),
    "MBX536": error(
        N_("the database does not check foreign keys"),
        N_("This build of SQLite cannot, and without them a linked server could be deleted."),
        N_("Use a Python whose SQLite has foreign keys."),
    ),
    "MBX537": error(
        N_("the driver of the database is not installed"),
        N_('The Python package "{driver}" is missing.'),
        N_(
            "Install it with the tool: pip install 'reconciler[postgres]' or 'reconciler[mariadb]'."
        ),
    ),
    "MBX538": error(
        N_("the database URL is none"),
        N_("Its form is dialect://user:password@host/name, or sqlite:///file."),
        N_("Correct RECONCILER_DATABASE_URL, --database or the settings."),
    ),
    "MBX539": error(
        N_("the database refused"),
        N_("It says: {reason}. Nothing was changed."),
        N_("Make room, or ask whoever runs it."),
    ),
    "MBX540": error(
        N_("somebody changed the same rows in between"),
        N_("A link or a row appeared or went while the plan was applied."),
        N_("Make a new plan, which will show it. Nothing was applied."),
    ),
    "MBX542": error(
        N_("the certificates of the database cannot be read"),
        N_('database_ca names "{file}". The system says: {reason}.'),
        N_("Give a file of certificates in PEM form."),
    ),
    "MBX543": error(
        N_("other transactions got in the way each time"),
        N_("The database undid this one, and says: {reason}."),
        N_("Nothing was applied. Run it again."),
    ),
    "MBX544": error(
        N_("the connection to the database was lost"),
        N_("It says: {reason}."),
        N_("Nothing was applied. Run it again."),
    ),
    "MBX545": error(
        N_("the connection to the database was lost, and nothing was applied"),
        N_("It broke while committing. The ledger does not have this plan."),
        N_("Run it again."),
    ),
    "MBX546": error(
        N_("it is not known whether the plan was applied"),
        N_("The connection broke while committing, and the database cannot be reached since."),
        N_("Look for the plan {plan} with: reconciler history"),
    ),
    "MBX547": error(
        N_("another apply holds the lock of {partner}"),
        N_("{who}, from {place}, since {since} UTC. It was not free within {seconds} seconds."),
        N_(
            "Wait for it, or longer with --lock-timeout. If it was killed, the lock ends by "
            "itself at {until} UTC."
        ),
    ),
    "MBX548": error(
        N_("another process changes the schema at the same time"),
        N_("Both wanted to bring it up to date."),
        N_("Run it again."),
    ),
    "MBX541": error(
        N_("the database is still new"),
        N_("None of the tool's tables is there."),
        N_("Run: reconciler apply, or reconciler db upgrade"),
    ),
    "MBX550": error(
        N_("the plan has expired"),
        N_("It could be applied until {until}. By the clock of the database it is {now}."),
        N_("Make a new plan. Nothing was applied."),
    ),
    "MBX551": error(
        N_("{file} is not signed"),
        N_("A plan key is configured, and only plans signed with it are applied."),
        N_("Save the plan with plan -o where the key is configured. Nothing was applied."),
    ),
    "MBX552": error(
        N_("the signature of {file} does not fit"),
        N_("Another key has signed it, or it is the signature of another plan."),
        N_("Make a new plan, with the same key for plan and apply. Nothing was applied."),
    ),
    "MBX553": error(
        N_("{file} is signed, and no plan key is configured to check it"),
        N_("Nothing else tells whether it was altered."),
        N_(
            "Set RECONCILER_PLAN_KEY, or plan_key_file in the settings; or give the digest that "
            "was reviewed: --expect-digest. Nothing was applied."
        ),
    ),
    "MBX554": error(
        N_("{file} is another plan than expected"),
        N_("Its digest is {found}; expected was {wanted}."),
        N_("Apply the plan that was reviewed, or make a new one. Nothing was applied."),
    ),
    "MBX555": error(
        N_("the schema of the database has changed since the plan was made"),
        N_("It was {planned}; it is {found}."),
        N_("Make a new plan. Nothing was applied."),
    ),
    "MBX556": error(
        N_("{file} was made by another version of the tool"),
        N_("It is of version {found}; this is {own}, which may read it differently."),
        N_("Make a new plan, or use that version. Nothing was applied."),
    ),
}
