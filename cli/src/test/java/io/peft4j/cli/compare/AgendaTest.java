package io.peft4j.cli.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class AgendaTest {

    private static final RunNames NAMES = new RunNames(0.005, 42);
    private static final RunResult RESULT =
            new RunResult(1, 3, 2, 4, 1, 10, 5, false, OptionalDouble.of(1e-7), 1, 1);

    @TempDir private Path directory;

    @Test
    void theGridIsEveryCombinationSeedBySeed() {
        Grid grid =
                new Grid(
                        List.of("lora", "full"),
                        List.of(8, 16),
                        List.of(1e-3, 5e-3),
                        List.of(Optional.empty(), Optional.of("qkv_proj")),
                        List.of(1L, 2L));
        assertThat(grid.variants()).hasSize(2 * 2 * 2 + 2);
        assertThat(grid.runs()).hasSize(20);
        assertThat(grid.runs().subList(0, 10)).allMatch(run -> run.seed() == 1);
        assertThat(grid.runs().stream().map(NAMES::of)).doesNotHaveDuplicates();
        assertThat(grid.trainsInFull()).isTrue();
    }

    @Test
    void whatIsNotTheDefaultIsInARunsName() {
        Grid grid =
                new Grid(
                        List.of("lora"),
                        List.of(8),
                        List.of(5e-3, 1e-4),
                        List.of(Optional.empty(), Optional.of("q,v"), Optional.of("re:.*[qk]/?")),
                        List.of(42L, 43L));
        assertThat(grid.runs().stream().map(NAMES::of))
                .contains("lora-r8", "lora-r8-s43", "lora-r8-lr0.0001-q+v-s43")
                .anyMatch(name -> name.matches("lora-r8-targets[0-9a-f]{12}"))
                .allMatch(name -> name.matches("[A-Za-z0-9_.+-]+"));
    }

    @Test
    void aFinishedRunIsNotDoneAgain() throws Exception {
        RunFile.begun(Map.of("seed", "1")).finished(RESULT).write(directory.resolve("lora-r8"));
        Agenda agenda = agenda(Map.of("seed", "1"));
        assertThat(agenda.entries()).hasSize(2);
        assertThat(agenda.entries().get(0).done()).contains(RESULT);
        assertThat(agenda.toDo()).extracting(Agenda.Entry::name).containsExactly("dora-r8");
    }

    @Test
    void aChangedSettingIsRefusedByItsName() throws Exception {
        RunFile.begun(Map.of("batch_size", "8", "seed", "1")).write(directory.resolve("dora-r8"));
        assertThatThrownBy(() -> agenda(Map.of("batch_size", "4", "seed", "1")))
                .isInstanceOf(ExperimentException.class)
                .hasMessageContaining("dora-r8")
                .hasMessageContaining("batch_size was 8, now it is 4")
                .hasMessageNotContaining("seed");
    }

    @Test
    void aRunsFileThatIsNoneIsRefused() throws Exception {
        Path run = Files.createDirectories(directory.resolve("lora-r8"));
        for (String text : List.of("", "[]", "{\"format\": 2}", "{\"format\": 1}", "{\"for")) {
            Files.writeString(run.resolve(RunFile.NAME), text);
            assertThatThrownBy(() -> agenda(Map.of()))
                    .as(text)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(RunFile.NAME);
        }
    }

    private Agenda agenda(Map<String, String> settings) throws IOException {
        Grid grid =
                new Grid(
                        List.of("lora", "dora"),
                        List.of(8),
                        List.of(5e-3),
                        List.of(Optional.empty()),
                        List.of(42L));
        return Agenda.of(grid.runs(), NAMES, new ExperimentFolder(directory), run -> settings);
    }
}
