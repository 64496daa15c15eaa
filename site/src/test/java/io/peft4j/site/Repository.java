package io.peft4j.site;

import java.nio.file.Path;

/** Where the tests find this repository. */
final class Repository {

    static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

    private Repository() {}
}
