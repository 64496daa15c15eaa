package io.peft4j.cli.compare;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What docs/compare.md says of the files. */
final class ComparePageTest {

    private static final Path PAGE = Path.of("..", "docs", "compare.md");
    private static final Pattern ROW = Pattern.compile("(?m)^\\| `([a-z_]+)` \\|");

    @Test
    void everyColumnIsDescribedInItsOrder() throws IOException {
        String page = Files.readString(PAGE);
        String columns = page.substring(page.indexOf("The columns of `results.csv`"));
        List<String> names = new ArrayList<>();
        Matcher row = ROW.matcher(columns);
        while (row.find()) {
            names.add(row.group(1));
        }
        assertThat(names).isEqualTo(RunRecord.NAMES);
    }
}
