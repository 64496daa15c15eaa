package io.peft4j.cli.compare;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

final class HtmlReportTest {

    private static final Pattern COLOUR = Pattern.compile("--([a-z0-9]+): #([0-9a-f]{6})");

    @Test
    void thePageIsWellFormedAndReadsFromTheResultToItsProvenance() throws Exception {
        Document page = parse(HtmlReport.page(Samples.seeds()));
        List<String> heads = texts(page, "h2");
        assertThat(heads)
                .startsWith("Held-out loss", "Loss by step")
                .endsWith("What next", "Settings and provenance");
        assertThat(texts(page, "p")).anyMatch(text -> text.startsWith("dora r16 has the lowest"));
        assertThat(texts(page, "dd")).contains("8, gradient accumulation 1 & more");
    }

    @Test
    void thePageNeedsNothingFromElsewhere() throws Exception {
        String page = HtmlReport.page(Samples.seeds());
        assertThat(page)
                .doesNotContain("http")
                .doesNotContain("url(")
                .doesNotContain("@import")
                .doesNotContainPattern("\\b(src|href|action|data)\\s*=")
                .doesNotContain("<link")
                .doesNotContain("<iframe")
                .doesNotContain("fetch(")
                .doesNotContain("{{");
    }

    @Test
    void whatUsersNamedIsEscaped() throws Exception {
        Comparison odd =
                Samples.comparison(
                        Samples.runs(Samples.variant("lora", 8), 1.5),
                        List.of(
                                ComparedRun.failed(
                                        new RunSpec(Samples.variant("lora", 4), 1),
                                        Path.of("out/<b>"),
                                        "<img onerror=x> {{facts}} $1 \\")));
        String page = HtmlReport.page(odd);
        assertThat(page)
                .contains("&lt;script&gt;alert(&#39;x&#39;)")
                .contains("&lt;img onerror=x&gt; {{facts}} $1 \\")
                .contains("1 of 2 runs failed")
                .containsOnlyOnce("<script>");
        parse(page);
    }

    @Test
    void everyTableHasHeadsAndEveryPictureSaysWhatItShows() throws Exception {
        Document page = parse(HtmlReport.page(Samples.seeds()));
        for (Element table : elements(page, "table")) {
            assertThat(table.getElementsByTagName("caption").getLength()).isEqualTo(1);
            for (Element head : elements(table, "th")) {
                assertThat(head.getAttribute("scope")).isIn("col", "row");
            }
        }
        List<Element> pictures =
                elements(page, "svg").stream()
                        .filter(svg -> svg.getAttribute("role").equals("img"))
                        .toList();
        assertThat(pictures).hasSize(3);
        for (Element picture : pictures) {
            assertThat(texts(picture, "desc").get(0)).contains("dora r16: ").contains("lora r8: ");
            String[] labels = picture.getAttribute("aria-labelledby").split(" ");
            assertThat(((Element) picture.getElementsByTagName("title").item(0)).getAttribute("id"))
                    .isEqualTo(labels[0]);
        }
        assertThat(page.getDocumentElement().getAttribute("lang")).isEqualTo("en");
    }

    @Test
    void textAndLinesHaveContrastInLightAndDark() throws Exception {
        String page = HtmlReport.page(Samples.seeds());
        int dark = page.indexOf("prefers-color-scheme: dark");
        for (Map<String, Integer> colours :
                List.of(
                        colours(page.substring(0, dark)),
                        colours(page.substring(dark, page.indexOf("</style>"))))) {
            for (String ground : List.of("ground", "panel")) {
                for (String text : List.of("text", "soft", "good", "bad")) {
                    assertThat(contrast(colours.get(text), colours.get(ground)))
                            .as("%s on %s", text, ground)
                            .isGreaterThan(4.5);
                }
            }
            for (int i = 0; i < CurveChart.COLOURS; i++) {
                assertThat(contrast(colours.get("c" + i), colours.get("ground")))
                        .as("line " + i)
                        .isGreaterThan(3);
            }
        }
    }

    @Test
    void nothingHasAFixedWidthThatAPhoneLacks() throws Exception {
        String page = HtmlReport.page(Samples.seeds());
        assertThat(page).contains("width=device-width");
        assertThat(page).doesNotContainPattern("(?<!-)\\b(min-)?width:\\s*[0-9]{3,}px");
        for (Element svg : elements(parse(page), "svg")) {
            assertThat(svg.hasAttribute("width")).isFalse();
            assertThat(svg.hasAttribute("viewBox")).isTrue();
        }
    }

    @Test
    void aNinthLineIsDashedAndARunWithoutPointsIsNoObstacle() throws Exception {
        List<List<ComparedRun>> rows = new ArrayList<>();
        for (int rank = 1; rank <= 9; rank++) {
            rows.add(Samples.runs(Samples.variant("lora", rank), 1 + rank));
        }
        RunSpec spec = new RunSpec(Samples.variant("dora", 1), 1);
        RunResult result = rows.get(0).get(0).result().orElseThrow();
        rows.add(List.of(ComparedRun.finished(spec, Path.of("x"), result, RunMetrics.NONE)));
        @SuppressWarnings({"unchecked", "rawtypes"})
        Comparison comparison = Samples.comparison(rows.toArray(new List[0]));
        String page = HtmlReport.page(comparison);
        assertThat(page).contains("class=\"c0 d1\"").doesNotContain("NaN");
        parse(page);
        for (byte[] png : List.of(LossCurves.png(comparison), LossSpread.png(comparison))) {
            assertThat(ImageIO.read(new ByteArrayInputStream(png)).getWidth()).isEqualTo(1000);
        }
    }

    private static Document parse(String page) throws Exception {
        String xml = page.replace("<!DOCTYPE html>", "");
        return DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8)));
    }

    private static List<Element> elements(Document page, String name) {
        return elements(page.getDocumentElement(), name);
    }

    private static List<Element> elements(Element parent, String name) {
        NodeList nodes = parent.getElementsByTagName(name);
        List<Element> elements = new ArrayList<>();
        for (int i = 0; i < nodes.getLength(); i++) {
            elements.add((Element) nodes.item(i));
        }
        return elements;
    }

    private static List<String> texts(Document page, String name) {
        return texts(page.getDocumentElement(), name);
    }

    private static List<String> texts(Element parent, String name) {
        return elements(parent, name).stream().map(Element::getTextContent).toList();
    }

    private static Map<String, Integer> colours(String css) {
        Map<String, Integer> colours = new HashMap<>();
        Matcher colour = COLOUR.matcher(css);
        while (colour.find()) {
            colours.put(colour.group(1), Integer.parseInt(colour.group(2), 16));
        }
        return colours;
    }

    /** WCAG's contrast ratio. */
    private static double contrast(int one, int other) {
        double a = luminance(one);
        double b = luminance(other);
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }

    private static double luminance(int rgb) {
        return 0.2126 * linear(rgb >> 16) + 0.7152 * linear(rgb >> 8) + 0.0722 * linear(rgb);
    }

    private static double linear(int channel) {
        double value = (channel & 0xff) / 255.0;
        return value <= 0.04045 ? value / 12.92 : Math.pow((value + 0.055) / 1.055, 2.4);
    }
}
