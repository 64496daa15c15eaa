package io.peft4j.mlflow;

import io.peft4j.tuning.TrainingReport;
import io.peft4j.tuning.TrainingReporter;
import java.io.IOException;

/** Reports to MLflow, as the environment variables say. */
public final class MlflowReporter implements TrainingReporter {

    @Override
    public String name() {
        return "mlflow";
    }

    @Override
    public void check(Context context, boolean resume) throws IOException {
        try {
            MlflowConfig unused = MlflowConfig.fromEnvironment(context.environment()).build();
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    @Override
    public TrainingReport open(Context context) {
        return new MlflowReport(
                MlflowConfig.fromEnvironment(context.environment())
                        .optDirectory(context.output())
                        .build(),
                context.warnings());
    }
}
