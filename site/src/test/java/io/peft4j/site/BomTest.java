package io.peft4j.site;

import static io.peft4j.site.Repository.ROOT;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The BOM names what an application may depend on, in the version of this build. */
final class BomTest {

    /** Modules that are programs, tests or the BOM itself. */
    private static final Set<String> NOT_LIBRARIES =
            Set.of("src-test-data", "cli", "examples", "benchmarks", "site", "bom");

    private static List<String> found(String file, String pattern) throws IOException {
        return Pattern.compile(pattern)
                .matcher(Files.readString(ROOT.resolve(file)))
                .results()
                .map((MatchResult result) -> result.group(1))
                .toList();
    }

    @Test
    void everyModuleThatIsALibraryIsInTheBom() throws IOException {
        List<String> libraries =
                found("pom.xml", "<module>(.*)</module>").stream()
                        .filter(module -> !NOT_LIBRARIES.contains(module))
                        .toList();
        assertThat(found("bom/pom.xml", "<groupId>io.peft4j</groupId><artifactId>(.*?)<"))
                .containsExactlyInAnyOrderElementsOf(libraries);
    }

    @Test
    void versionsAreThoseOfTheBuild() throws IOException {
        assertThat(found("bom/pom.xml", "\n  <version>(.*)</version>"))
                .isEqualTo(found("pom.xml", "\n  <version>(.*)</version>"));
        assertThat(found("bom/pom.xml", "<artifactId>bom</artifactId>\n +<version>(.*)</version>"))
                .last()
                .isEqualTo(found("pom.xml", "<djl.version>(.*)</djl.version>").get(0));
    }
}
