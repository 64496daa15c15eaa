package io.peft4j.tensorboard;

import io.peft4j.tuning.TrainingReport;
import io.peft4j.tuning.TrainingReporter;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;

/** Reports to TensorBoard, by event files in the logging directory. */
public final class TensorBoardReporter implements TrainingReporter {

    @Override
    public String name() {
        return "tensorboard";
    }

    @Override
    public void check(Context context, boolean resume) throws IOException {
        if (!resume && EventFile.anyIn(context.loggingDirectory())) {
            throw new FileAlreadyExistsException(
                    context.loggingDirectory().toString(),
                    null,
                    "expected a logging directory without event files, since one directory is one"
                            + " run of TensorBoard's; choose another, or resume the run");
        }
    }

    @Override
    public TrainingReport open(Context context) {
        return new TensorBoardReport(context.loggingDirectory());
    }
}
