/** Trainings reported to an MLflow tracking server. */
@NullMarked
package io.peft4j.mlflow;

import org.jspecify.annotations.NullMarked;
