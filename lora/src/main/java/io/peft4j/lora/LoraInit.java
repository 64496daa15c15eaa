package io.peft4j.lora;

import java.util.SplittableRandom;

/** How a new adapter's A is drawn; B is zero, so that the update is zero. */
public enum LoraInit {
    /**
     * Kaiming uniform with \(a = \sqrt 5\), which is \(U(-1/\sqrt{in}, 1/\sqrt{in})\): PEFT's
     * {@code init_lora_weights: true}.
     */
    DEFAULT {
        @Override
        float[] sampleA(int rank, int in, long seed) {
            SplittableRandom random = new SplittableRandom(seed);
            double bound = 1 / Math.sqrt(in);
            float[] a = new float[Math.multiplyExact(rank, in)];
            for (int i = 0; i < a.length; i++) {
                a[i] = (float) random.nextDouble(-bound, bound);
            }
            return a;
        }
    },

    /** Normal with standard deviation 1/rank: PEFT's {@code init_lora_weights: "gaussian"}. */
    GAUSSIAN {
        @Override
        float[] sampleA(int rank, int in, long seed) {
            return normal(Math.multiplyExact(rank, in), 1.0 / rank, seed);
        }
    };

    /** Draws independent normal numbers. */
    static float[] normal(int count, double deviation, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (random.nextGaussian() * deviation);
        }
        return values;
    }

    /** The value of {@code init_lora_weights}. */
    Object peftValue() {
        return this == GAUSSIAN ? "gaussian" : true;
    }

    /**
     * Reads a value of {@code init_lora_weights}, as JSON text; what is not ours is the default.
     */
    static LoraInit ofPeft(String json) {
        return json.equals("\"gaussian\"") ? GAUSSIAN : DEFAULT;
    }

    /** Draws A (rank, in), row by row. */
    abstract float[] sampleA(int rank, int in, long seed);
}
