package io.peft4j.dora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.peft4j.dora.WeightMovement.Vectors;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WeightMovementTest {

    private static final List<String> SITES = List.of("square", "wide", "tall", "conv", "hardly");

    private final NDManager manager = NDManager.newBaseManager();

    @AfterEach
    void free() {
        manager.close();
    }

    private NDArray array(SafetensorsFile file, String name) throws IOException {
        return manager.create(file.toFloats(name), new Shape(file.tensor(name).shape()));
    }

    @ParameterizedTest
    @CsvSource({"PER_OUTPUT, per_output, 0", "PER_INPUT, per_input, 1"})
    void magnitudesDirectionsAndTheirCorrelationAreThoseOfTorch(
            Vectors vectors, String golden, int column) throws IOException {
        List<WeightMovement> movements = new ArrayList<>();
        try (SafetensorsFile file =
                SafetensorsFile.open(TestData.path("golden/movement/golden.safetensors"))) {
            for (String site : SITES) {
                WeightMovement movement =
                        WeightMovement.between(
                                array(file, "before." + site),
                                array(file, "after." + site),
                                vectors);
                float[] expected = file.toFloats(golden + "." + site);
                assertThat(movement.magnitude())
                        .as("ΔM of %s", site)
                        .isCloseTo(expected[0], withinPercentage(1e-4));
                assertThat(movement.direction())
                        .as("ΔD of %s", site)
                        .isCloseTo(expected[1], withinPercentage(1e-4));
                movements.add(movement);
            }
            assertThat(WeightMovement.correlation(movements))
                    .isCloseTo(file.toFloats("correlation")[column], withinPercentage(1e-4));
        }
    }

    @Test
    void aWeightThatGrowsButDoesNotTurnMovesInMagnitudeAlone() {
        NDArray weight = manager.create(new float[] {3, 4, 0, 2}, new Shape(2, 2));
        WeightMovement movement = WeightMovement.between(weight, weight.mul(3), Vectors.PER_OUTPUT);
        assertThat(movement.magnitude()).isCloseTo((10 + 4) / 2.0, within(1e-12));
        assertThat(movement.direction()).isZero();
    }

    @Test
    void aVectorOfZerosHasNotTurnedUnlessItIsOneNoMore() {
        NDArray before = manager.create(new float[] {0, 0, 0, 0, 1, 0}, new Shape(3, 2));
        NDArray after = manager.create(new float[] {0, 0, 5, 0, 1, 0}, new Shape(3, 2));
        WeightMovement movement = WeightMovement.between(before, after, Vectors.PER_OUTPUT);
        assertThat(movement.direction()).isCloseTo(1 / 3.0, within(1e-12));
        assertThat(movement.magnitude()).isCloseTo(5 / 3.0, within(1e-12));
    }

    @Test
    void whatIsNoPairOfWeightsIsRefusedByShapeAndType() {
        NDArray weight = manager.ones(new Shape(2, 3));
        for (NDArray other :
                List.of(
                        manager.ones(new Shape(3, 2)),
                        manager.ones(new Shape(6)),
                        weight.toType(DataType.INT32, true))) {
            assertThatThrownBy(() -> WeightMovement.between(weight, other, Vectors.PER_OUTPUT))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("float32 (2, 3)")
                    .hasMessageContaining(other.getDataType() + " " + other.getShape());
        }
    }

    @Test
    void aSingleMovementCannotBeCorrelated() {
        assertThatThrownBy(() -> WeightMovement.correlation(List.of(new WeightMovement(1, 1))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("found 1");
    }
}
