"""Problems of a file itself: what cannot be read, and what YAML offers and manifests refuse."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error
from reconciler.diagnostics.words import N_

READING = {
    "MBX101": error(
        N_("this is not YAML"),
        N_("The file cannot be read from here on: {reason}."),
        N_(
            "Check the indentation, the quotes and the brackets of this line and of the one before "
            'it. A text with ": " in it, or beginning with a sign like @ or %, needs quotes.'
        ),
    ),
    "MBX102": error(
        N_("a tab indents this line"),
        N_("YAML allows only spaces for indentation."),
        N_("Replace the tab with spaces."),
    ),
    "MBX103": error(
        N_("the file is not UTF-8"),
        N_("The byte {byte} does not belong there."),
        N_("Save the file with the encoding UTF-8."),
    ),
    "MBX104": error(
        N_("a character that nobody can see stands here"),
        N_("{character} is a control character, or changes the direction of the text around it."),
        N_("Delete it; typing the line anew is the surest way."),
    ),
    "MBX105": error(
        N_('"{key}" stands twice in the same place'),
        N_("Only one of the two could count."),
        N_("Remove one of them, or put both together."),
    ),
    "MBX106": error(
        N_("anchors and aliases are not allowed"),
        N_('"&" and "*" would make one part of the file stand for another.'),
        N_(
            "Write the values out where they are needed; a text that begins with one of these "
            "signs needs quotes."
        ),
    ),
    "MBX107": error(
        N_("merge keys are not allowed"),
        N_('"<<" would bring in values that nobody sees here.'),
        N_("Write the values out where they are needed."),
    ),
    "MBX108": error(
        N_("tags are not allowed"),
        N_("A tag would change what kind of value this is."),
        N_(
            "Remove the part that begins with an exclamation mark; a text that begins with one "
            "needs quotes."
        ),
    ),
    "MBX109": error(
        N_("a second document begins here"),
        N_("A file holds one document."),
        N_('Remove the line "---", or put what follows in a file of its own.'),
    ),
    "MBX110": error(
        N_("the file is empty"),
        N_("A manifest says at least its version and its partner."),
        N_('Begin it with "version: 1" and "partner: …", or delete the file.'),
    ),
    "MBX111": error(
        N_("too many levels"),
        N_("Values are nested more than {limit} levels deep here."),
        N_("No manifest needs that many; check the brackets and the indentation."),
    ),
    "MBX112": error(
        N_("the file is too large"),
        N_("It has more than {limit} bytes."),
        N_("Split it, or raise limits.file_bytes in the settings."),
    ),
    "MBX113": error(
        N_("the text is too long"),
        N_("It has more than {limit} bytes."),
        N_("Shorten it, or raise limits.scalar_bytes in the settings."),
    ),
    "MBX114": error(
        N_("this is no regular file"),
        N_("Pipes, devices and the like are not read."),
        N_("Remove it from the folder of the manifests."),
    ),
    "MBX115": error(
        N_("the link leads out of the folder"),
        N_("What it points at does not lie below the root of the manifests."),
        N_("Replace the link with the file itself."),
    ),
    "MBX116": error(
        N_("the file cannot be read"),
        N_("The system says: {reason}."),
        N_("Check that it exists and who may read it."),
    ),
    "MBX117": error(
        N_("no manifest in {path}"),
        N_("There is no file that ends in .yaml or .yml in it or below it."),
        N_("Check the folder. To remove all servers on purpose, leave a file with their partner."),
    ),
    "MBX118": error(
        N_("a key must be a text"),
        N_("A list or a mapping stands where a key is expected."),
        N_(
            "Check the brackets and the question mark of this line; templates like {{{{ NAME }}}} "
            "are not filled in here."
        ),
    ),
    "MBX119": error(
        N_("{path} does not lie below {root}"),
        N_("Manifests are named by their place below the root."),
        N_("Give another --root, or manifests below this one."),
    ),
    "MBX120": error(
        N_("{path} does not exist"),
        N_("There is no such file or folder."),
        N_("Check the path."),
    ),
    "MBX121": error(
        N_("a file has a name that cannot be used"),
        N_("{name} is longer than {limit} characters, is not UTF-8, or has control characters."),
        N_("Rename it."),
    ),
}
