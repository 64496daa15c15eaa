package io.peft4j.site;

import static io.peft4j.site.Repository.ROOT;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SiteBuilderTest {

    @TempDir private Path site;

    @Test
    void theSiteHasNoBrokenLinkAndNothingFromOutside() throws IOException {
        assertThat(SiteBuilder.build(ROOT, site)).isEmpty();
        assertThat(site.resolve("index.html"))
                .content()
                .contains(
                        "<link rel=\"stylesheet\" href=\"style.css\">",
                        "href=\"docs/adapters.html\">Adapters</a>");
        assertThat(site.resolve("docs/adapters.html")).content().contains("href=\"../index.html\"");
        try (Stream<Path> files = Files.walk(site)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                if (file.toString().endsWith(".html") || file.toString().endsWith(".css")) {
                    assertThat(file)
                            .content()
                            .doesNotContainPattern("src=\"https?:|@import|url\\(");
                    assertThat(file).content().doesNotContain("<!-- not run");
                }
            }
        }
    }

    @Test
    void everyGuideIsInTheNavigation() throws IOException {
        SiteBuilder.build(ROOT, site);
        String start = Files.readString(site.resolve("index.html"));
        try (Stream<Path> guides = Files.list(ROOT.resolve("docs"))) {
            for (Path guide : (Iterable<Path>) guides::iterator) {
                String name = guide.getFileName().toString();
                if (name.endsWith(".md") && !name.equals("index.md")) {
                    assertThat(start).contains("href=\"docs/" + name.replace(".md", ".html"));
                }
            }
        }
    }

    @Test
    void brokenLinksAreToldWithTheirPages() throws IOException {
        Path root = site.resolve("repository");
        Files.createDirectories(root.resolve("docs"));
        Files.writeString(
                root.resolve("README.md"),
                "# R\n\n[a](docs/index.md#guides) [b](docs/index.md#none) [c](gone.md)\n");
        Files.writeString(root.resolve("docs/index.md"), "# Guides\n\n[back](../README.md)\n");
        List<String> broken = SiteBuilder.build(root, site.resolve("site"));
        assertThat(broken)
                .containsExactlyInAnyOrder(
                        "README.md: no such file: gone.md",
                        "index.html: docs/index.html#none",
                        "index.html: gone.md");
    }

    @Test
    void namesOfPublicTypesLeadToTheirJavadoc() throws IOException {
        Path root = site.resolve("repository");
        Files.createDirectories(root.resolve("docs"));
        Files.writeString(root.resolve("README.md"), "# R\n\n`Adapters.attach` and `Other`\n");
        Files.writeString(root.resolve("docs/index.md"), "# Guides\n");
        Path output = site.resolve("site");
        Path api = Files.createDirectories(output.resolve("apidocs/io/peft4j/adapters"));
        Files.writeString(api.resolve("Adapters.html"), "<html></html>");
        Files.writeString(output.resolve("apidocs/index.html"), "<html></html>");
        assertThat(SiteBuilder.build(root, output)).isEmpty();
        assertThat(output.resolve("index.html"))
                .content()
                .contains(
                        "<a href=\"apidocs/io/peft4j/adapters/Adapters.html\"><code>Adapters.attach",
                        "<code>Other</code>");
    }
}
