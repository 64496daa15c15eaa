package io.peft4j.tuning.online.rejection;

/** Hears of a sampling as it goes, from the thread that samples. */
@FunctionalInterface
public interface SamplingObserver {

    /**
     * Some more prompts are answered, and their answers are on the disk.
     *
     * @param done how many prompts have their answers, those before a resume included
     * @param total how many there are
     */
    void onProgress(int done, int total);
}
