package io.peft4j.hub;

import java.util.Locale;
import java.util.regex.Pattern;

/**
 * A repository of the hub at a revision, written {@code org/name} or {@code org/name@revision}.
 *
 * @param id {@code org/name}
 * @param revision a branch, tag or commit
 */
record HubRepository(String id, String revision) {

    private static final String MAIN = "main";
    private static final int LONGEST_REVISION = 255;

    // the rules of huggingface_hub's validate_repo_id, with the organisation required
    private static final Pattern ID =
            Pattern.compile("\\w(?:[\\w.-]{0,94}\\w)?/\\w(?:[\\w.-]{0,94}\\w)?");
    private static final Pattern REVISION = Pattern.compile("\\w[\\w.+-]*(?:/\\w[\\w.+-]*)*");
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

    static boolean isName(String text) {
        int at = text.indexOf('@');
        String id = at < 0 ? text : text.substring(0, at);
        String revision = at < 0 ? MAIN : text.substring(at + 1);
        return ID.matcher(id).matches()
                && !id.contains("--")
                && !id.contains("..")
                && !id.toLowerCase(Locale.ROOT).endsWith(".git")
                && REVISION.matcher(revision).matches()
                && revision.length() <= LONGEST_REVISION
                && !revision.contains("..");
    }

    static HubRepository parse(String text) throws HubException {
        if (!isName(text)) {
            throw new HubException(
                    HubException.Reason.INVALID_NAME,
                    "expected a directory, or org/name or org/name@revision of the hub, found \""
                            + text
                            + "\"");
        }
        int at = text.indexOf('@');
        return at < 0
                ? new HubRepository(text, MAIN)
                : new HubRepository(text.substring(0, at), text.substring(at + 1));
    }

    /** Whether the revision is a whole commit hash, which can never mean another snapshot. */
    boolean isCommit() {
        return COMMIT.matcher(revision).matches();
    }

    String folder() {
        return "models--" + id.replace("/", "--");
    }

    @Override
    public String toString() {
        return revision.equals(MAIN) ? id : id + "@" + revision;
    }
}
