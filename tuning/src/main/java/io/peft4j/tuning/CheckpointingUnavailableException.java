package io.peft4j.tuning;

/** Gradient checkpointing was asked for where autograd computes a training's layers. */
public final class CheckpointingUnavailableException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    CheckpointingUnavailableException() {
        super(
                "gradient checkpointing cannot be had: autograd computes this training's layers; it"
                        + " can where all that is trained are LoRA and DoRA on linear layers; choose"
                        + " auto or off");
    }
}
