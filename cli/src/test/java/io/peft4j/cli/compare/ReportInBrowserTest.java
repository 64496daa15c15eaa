package io.peft4j.cli.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The report in a browser, where there is one. The pictures stay in {@code target/report} to be
 * looked at.
 */
final class ReportInBrowserTest {

    private static final Path PICTURES = Path.of("target", "report");

    @TempDir private static Path directory;
    private static @Nullable HeadlessBrowser browser;
    private static Path seeds;
    private static Path one;

    @BeforeAll
    static void start() throws Exception {
        Optional<Path> executable = HeadlessBrowser.executable();
        assumeTrue(executable.isPresent(), "no chromium on the path: the report is not shown");
        browser =
                HeadlessBrowser.start(
                        executable.get(), Files.createDirectory(directory.resolve("profile")));
        seeds = page("seeds", Samples.seeds());
        one =
                page(
                        "one",
                        Samples.comparison(
                                Samples.runs(Samples.variant("lora", 8), 1.66),
                                Samples.runs(Samples.variant("dora", 16), 1.55),
                                Samples.runs(Samples.variant("full", 0), 1.31)));
        Files.createDirectories(PICTURES);
    }

    private static Path page(String name, Comparison comparison) throws Exception {
        return Files.writeString(directory.resolve(name + ".html"), HtmlReport.page(comparison));
    }

    @AfterAll
    static void stop() throws Exception {
        if (browser != null) {
            browser.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"360,800,light", "360,800,dark", "1280,900,light", "1280,900,dark"})
    void nothingIsWiderThanTheScreen(int width, int height, String scheme) throws Exception {
        for (Path page : new Path[] {seeds, one}) {
            browser.open(page, width, height, scheme);
            String name = page.getFileName().toString().replace(".html", "");
            Files.write(
                    PICTURES.resolve(name + "-" + width + "-" + scheme + ".png"),
                    browser.screenshot());
            assertThat(browser.evaluate("window.innerWidth")).isEqualTo(String.valueOf(width));
            assertThat(browser.evaluate("document.documentElement.scrollWidth"))
                    .isEqualTo(String.valueOf(width));
            assertThat(
                            browser.evaluate(
                                    "[...document.querySelectorAll('.scroll')]"
                                            + ".filter(e => e.scrollWidth > e.clientWidth).length"))
                    .as("tables that must be scrolled")
                    .isEqualTo("0");
            assertThat(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
                    .isEqualTo(scheme.equals("dark") ? "rgb(20, 23, 26)" : "rgb(255, 255, 255)");
        }
    }

    @Test
    void theTextOfPicturesIsLegibleOnAPhone() throws Exception {
        browser.open(seeds, 360, 800, "light");
        double pixels =
                Double.parseDouble(
                        browser.evaluate(
                                "Math.min(...[...document.querySelectorAll('figure svg text')]"
                                        + ".map(t => parseFloat(getComputedStyle(t).fontSize)"
                                        + " * t.getCTM().a))"));
        assertThat(pixels).isGreaterThan(11);
        assertThat(
                        browser.evaluate(
                                "[...document.querySelectorAll('figure svg text')].filter(t => {"
                                        + " const box = t.getBBox(), view ="
                                        + " t.ownerSVGElement.viewBox.baseVal; return box.x < 0 ||"
                                        + " box.x + box.width > view.width || box.y + box.height >"
                                        + " view.height; }).length"))
                .as("texts that are cut off")
                .isEqualTo("0");
    }

    @Test
    void aTableIsSortedByItsHeads() throws Exception {
        browser.open(seeds, 1280, 900, "light");
        String first = "document.querySelector('tbody th').textContent";
        assertThat(browser.evaluate(first)).isEqualTo("lora r8");
        browser.evaluate("document.querySelectorAll('thead button')[2].click()");
        assertThat(browser.evaluate(first)).startsWith("dora r16");
        assertThat(
                        browser.evaluate(
                                "document.querySelectorAll('thead th')[2].getAttribute('aria-sort')"))
                .isEqualTo("ascending");
        browser.evaluate("document.querySelectorAll('thead button')[2].click()");
        assertThat(browser.evaluate(first)).isEqualTo("lora r8");
    }

    @Test
    void thePageRunsWithoutAnErrorAndAsksForNothing() throws Exception {
        browser.open(seeds, 360, 800, "dark");
        assertThat(browser.evaluate("document.querySelectorAll('thead th button').length"))
                .isEqualTo("12");
        assertThat(browser.evaluate("performance.getEntriesByType('resource').length"))
                .isEqualTo("0");
    }
}
