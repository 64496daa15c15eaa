package io.peft4j.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** Four roles on one base need little more memory than fine-tuning one adapter. */
final class RolesMemoryTest {

    private static final Path EMBEDDED =
            Path.of("../src-test-data/src/main/resources/embedded/model").toAbsolutePath();

    @Test
    @EnabledOnOs(OS.LINUX)
    void aPpoStepNeedsLessThanThreeTenthsMoreThanFineTuning() throws Exception {
        String model = EMBEDDED.normalize().toString();
        JsonObject result = RolesMemory.compare(List.of(model, model, "8", "64", "64"));
        assertThat(result.get("ratio").getAsDouble()).as("%s", result).isLessThan(1.3);
        assertThat(result.get("sft_mb").getAsDouble())
                .isGreaterThan(result.get("base_mb").getAsDouble());
    }
}
