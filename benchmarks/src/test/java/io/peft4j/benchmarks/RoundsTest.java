package io.peft4j.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

final class RoundsTest {

    @Test
    void casesAreComparedWithinTheirRoundsBehindAWarmOne() throws Exception {
        Iterator<Double> slow = List.of(50.0, 2.0, 30.0, 4.0).iterator();
        Iterator<Double> fast = List.of(1.0, 1.0, 10.0, 4.0).iterator();

        List<Rounds.Line> lines =
                new Rounds("decode")
                        .add("bare", "bare", fast::next)
                        .add("lora", "bare", slow::next)
                        .run(3)
                        .lines();

        assertThat(lines.get(1))
                .isEqualTo(new Rounds.Line("decode", "lora", 3, 4000, 2000, "bare", 2));
    }

    @Test
    void aCaseIsComparedWithOneThatIsThere() throws Exception {
        Rounds rounds = new Rounds("decode").add("lora", "bare", () -> 1.0).run(1);

        assertThatThrownBy(rounds::lines)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("bare")
                .hasMessageContaining("lora");
    }

    @Test
    void aSmallShapeIsTimed(@TempDir Path work) {
        assertThat(
                        new CommandLine(new InferenceBenchmark())
                                .execute(
                                        "--model=smoke",
                                        "--prompt=8",
                                        "--tokens=3",
                                        "--rounds=1",
                                        "--work=" + work))
                .isZero();
        assertThat(
                        new CommandLine(new SwitchingBenchmark())
                                .execute("--model=smoke", "--rounds=1", "--work=" + work))
                .isZero();
    }
}
