package io.peft4j.adapters;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The base model as a card names it.
 *
 * @param name PEFT's {@code base_model_name_or_path}: a path, or a repository of the hub, here also
 *     {@code org/name@revision}
 */
record CardBase(String name) {

    private static final Pattern REPOSITORY =
            Pattern.compile(
                    "([A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*)(@[A-Za-z0-9._/-]+)?");

    /** The repository and, with an @ before it, its revision. As elsewhere, a path comes first. */
    private Optional<Matcher> asRepository() {
        Matcher matcher = REPOSITORY.matcher(name);
        return matcher.matches() && !isPath() ? Optional.of(matcher) : Optional.empty();
    }

    private boolean isPath() {
        try {
            return Files.exists(Path.of(name));
        } catch (InvalidPathException e) {
            return false;
        }
    }

    /** The name without a revision. */
    String repository() {
        return asRepository().map(matcher -> matcher.group(1)).orElse(name);
    }

    /** The revision, if the name tells one. */
    Optional<String> revision() {
        return asRepository().map(matcher -> matcher.group(2)).map(at -> at.substring(1));
    }

    String code() {
        return CardText.code(name);
    }

    String link() {
        return asRepository().isPresent()
                ? "[" + code() + "](https://huggingface.co/" + repository() + ")"
                : code();
    }

    /** PEFT names a path here too; the hub takes the names of its repositories only. */
    void appendYaml(StringBuilder page) {
        if (asRepository().isEmpty()) {
            page.append("# a path where it was made; the hub wants org/name here\n");
        }
        page.append("base_model: ").append(CardText.yaml(repository())).append('\n');
    }
}
