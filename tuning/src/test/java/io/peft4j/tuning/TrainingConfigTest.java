package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TrainingConfigTest {

    @Test
    void theDefaultsAreTheCommandLines() {
        TrainingConfig config = TrainingConfig.builder().build();
        assertThat(config.batchSize()).isEqualTo(8);
        assertThat(config.learningRate()).isEqualTo(2e-4);
        assertThat(config.schedule()).isEqualTo(Schedule.LINEAR);
        assertThat(config.warmupSteps()).isZero();
        assertThat(config.weightDecay()).isZero();
        assertThat(config.maxGradNorm()).isEqualTo(1);
        assertThat(config.epochs()).isEqualTo(1);
        assertThat(config.maxSteps()).isEmpty();
        assertThat(config.seed()).isEqualTo(42);
        assertThat(config.shuffle()).isTrue();
    }

    @Test
    void aSettingOutOfRangeIsNamedWithItsValue() {
        assertThatThrownBy(() -> TrainingConfig.builder().optBatchSize(0).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("expected a positive batch size, found 0.0");
        assertThatThrownBy(() -> TrainingConfig.builder().optLearningRate(Double.NaN).build())
                .hasMessage("expected a learning rate of 0 or more, found NaN");
        assertThatThrownBy(() -> TrainingConfig.builder().optMaxGradNorm(-1).build())
                .hasMessage("expected a maximum gradient norm of 0 or more, found -1.0");
    }

    @Test
    void aConfigDoesNotChangeWithItsBuilder() {
        TrainingConfig.Builder builder = TrainingConfig.builder().optBatchSize(4);
        TrainingConfig config = builder.build();
        builder.optBatchSize(5);
        assertThat(config.batchSize()).isEqualTo(4);
    }

    @Test
    void aConstantRateMayBeProlongedAndAnotherScheduleNot() {
        TrainingConfig linear = TrainingConfig.builder().build();
        TrainingConfig constant = TrainingConfig.builder().optSchedule(Schedule.CONSTANT).build();
        assertThat(constant.fingerprint(5)).isEqualTo(constant.fingerprint(9));
        assertThat(linear.fingerprint(5)).isNotEqualTo(linear.fingerprint(9));
    }
}
