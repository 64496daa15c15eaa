package io.peft4j.tensorboard;

import static org.assertj.core.api.Assertions.assertThat;

import io.peft4j.tensorboard.EventReader.Field;
import io.peft4j.tensorboard.EventReader.Point;
import io.peft4j.testdata.TestData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EventFileTest {

    @TempDir Path directory;

    @Test
    void bytesAreThoseOfTensorBoardsOwnWriter() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        RecordStream records = new RecordStream(bytes);
        write(records, 0, new Message().text(Events.FILE_VERSION, "brain.Event:2"));
        write(records, 301, new Message().message(Events.SESSION_LOG, Events.sessionStart()));
        write(records, 1, summary(Events.scalar("train/loss", 2.5f)));
        write(records, 70_000, summary(Events.scalar("eval/loss", Float.NaN)));
        write(records, 0, summary(Events.text("args", "|setting|Übung|\n|---|---|\n")));
        write(
                records,
                0,
                summary(
                        Events.plugin(
                                "_hparams_/session_start_info",
                                "hparams",
                                new Message()
                                        .message(
                                                3,
                                                HyperParameterEvents.values(
                                                        Map.of("learning_rate", "0.005"))))));
        assertThat(bytes.toByteArray())
                .isEqualTo(Files.readAllBytes(TestData.path("tensorboard/golden.tfevents")));
    }

    private static Message summary(Message summary) {
        return new Message().message(Events.SUMMARY, summary);
    }

    private static void write(RecordStream records, long step, Message content) throws IOException {
        records.write(EventFile.event(1.7e9, step, content).toByteArray());
    }

    @Test
    void aFileBeginsWithItsVersionAndHoldsWhatWasWritten() throws IOException {
        try (EventFile events = EventFile.begin(directory.resolve("new/runs"), 1)) {
            assertThat(events.continues()).isFalse();
            events.scalar("train/loss", 0.1, 1);
            events.scalar("train/loss", Double.NaN, 2_000_000_000_000L);
            events.flush();
            List<List<Field>> read = EventReader.events(events.file());
            assertThat(read).hasSize(3);
            assertThat(EventReader.field(read.get(0), 3).text()).isEqualTo("brain.Event:2");
            assertThat(EventReader.field(read.get(0), 1).real())
                    .isBetween(
                            System.currentTimeMillis() / 1e3 - 60,
                            System.currentTimeMillis() / 1e3);
            assertThat(EventReader.scalars(directory.resolve("new/runs")))
                    .containsExactly(
                            new Point(1, "train/loss", 0.1f),
                            new Point(2_000_000_000_000L, "train/loss", Float.NaN));
        }
    }

    @Test
    void aSecondFileComesAfterTheFirstAndVoidsFromItsFirstStep() throws IOException {
        Files.writeString(directory.resolve("events.out.tfevents.9999999998.elsewhere.1.0"), "");
        assertThat(EventFile.anyIn(directory)).isTrue();
        try (EventFile events = EventFile.begin(directory, 301)) {
            assertThat(events.continues()).isTrue();
            assertThat(events.file().getFileName().toString())
                    .startsWith("events.out.tfevents.9999999999.");
            List<Field> start = EventReader.events(events.file()).get(1);
            assertThat(EventReader.field(start, 2).value()).isEqualTo(301);
            assertThat(EventReader.field(EventReader.field(start, 7).message(), 1).value())
                    .isEqualTo(1);
        }
    }

    @Test
    void aDirectoryWithoutEventFilesHasNone() throws IOException {
        assertThat(EventFile.anyIn(directory.resolve("absent"))).isFalse();
        Files.writeString(directory.resolve("metrics.jsonl"), "");
        assertThat(EventFile.anyIn(directory)).isFalse();
    }

    @Test
    void anInterruptDoesNotCloseTheFile() throws IOException {
        try (EventFile events = EventFile.begin(directory, 1)) {
            Thread.currentThread().interrupt();
            events.scalar("train/loss", 1, 1);
            events.flush();
            events.scalar("train/loss", 1, 2);
            events.flush();
            assertThat(Thread.interrupted()).isTrue();
        }
        assertThat(EventReader.scalars(directory)).hasSize(2);
    }
}
