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
    void boundsOfTheRateAndBetasOutOfRangeAreNamed() {
        assertThatThrownBy(() -> TrainingConfig.builder().optMinLearningRate(1).build())
                .hasMessage(
                        "expected a minimum learning rate from 0 to the learning rate, 2.0E-4,"
                                + " found 1.0");
        assertThatThrownBy(() -> TrainingConfig.builder().optWarmupStart(-1).build())
                .hasMessageContaining("at the start of the warm-up from 0 to");
        assertThatThrownBy(
                        () ->
                                TrainingConfig.builder()
                                        .optSchedule(Schedule.CONSTANT)
                                        .optMinLearningRate(1e-5)
                                        .build())
                .hasMessageContaining("needs a schedule that comes down");
        assertThatThrownBy(() -> TrainingConfig.builder().optAdamBetas(0.9, 1).build())
                .hasMessage("expected a β2 from 0 to below 1, found 1.0");
    }

    @Test
    void onlyWhatIsNotUsualIsAddedToTheFingerprint() {
        TrainingConfig usual = TrainingConfig.builder().build();
        TrainingConfig other =
                TrainingConfig.builder()
                        .optMinLearningRate(1e-5)
                        .optWarmupStart(1e-6)
                        .optAdamBetas(0.8, 0.95)
                        .optAdamEpsilon(1e-6)
                        .build();
        assertThat(usual.fingerprint(5)).doesNotContainKeys("min_learning_rate", "adam_beta1");
        assertThat(other.fingerprint(5))
                .containsEntry("min_learning_rate", "1.0E-5")
                .containsEntry("warmup_start", "1.0E-6")
                .containsEntry("adam_beta1", "0.8")
                .containsEntry("adam_beta2", "0.95")
                .containsEntry("adam_epsilon", "1.0E-6");
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
