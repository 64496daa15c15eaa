package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.condition.OS.LINUX;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.io.TempDir;

/** The script {@code peft4j} in a made-up checkout, with a made-up Java and Maven. */
@EnabledOnOs(LINUX)
final class LauncherTest {

    private static final Path SCRIPT = Path.of("..", "peft4j").toAbsolutePath().normalize();

    @TempDir private Path directory;
    private Path checkout;
    private Path bin;

    @BeforeEach
    void makeACheckout() throws IOException {
        checkout = Files.createDirectory(directory.resolve("a checkout"));
        bin = Files.createDirectory(directory.resolve("bin"));
        Files.copy(SCRIPT, checkout.resolve("peft4j"));
        Files.createDirectories(checkout.resolve("cli/src/main/java"));
        Files.copy(SCRIPT.resolveSibling("cli/settings.sh"), checkout.resolve("cli/settings.sh"));
        Files.writeString(checkout.resolve("pom.xml"), "<project/>");
        Files.writeString(checkout.resolve("cli/src/main/java/A.java"), "class A {}");
        executable(
                "mvn",
                "echo \"mvn $*\" | tee \"$PWD/maven.txt\"",
                "mkdir -p cli/target/launcher",
                "touch cli/target/cli-1.jar cli/target/library.jar",
                "echo \"$PWD/cli/target/library.jar\" > cli/target/launcher/classpath");
        executable(
                "java",
                "if [ \"$1\" = -version ]; then echo 'openjdk version \"17.0.1\"' >&2; exit; fi",
                "echo \"tracking $OPT_OUT_TRACKING, locale ${LC_ALL:-none}\"",
                "for a in \"$@\"; do echo \"<$a>\"; done",
                "exit 7");
    }

    @Test
    void buildsTheFirstTimeOnlyAndSaysSoOnStderr() throws Exception {
        Result first = launch("eval", "two words");
        assertThat(first.err).startsWith("peft4j: building");
        assertThat(first.err.lines()).hasSize(1);
        assertThat(checkout.resolve("maven.txt")).content().contains("package -pl cli -am");
        assertThat(first.out).contains("<eval>\n<two words>\n").doesNotContain("mvn");
        Result second = launch("eval");
        assertThat(second.err).isEmpty();
    }

    @Test
    void buildsAgainWhenASourceIsNewer() throws Exception {
        launch("eval");
        Files.setLastModifiedTime(
                checkout.resolve("cli/src/main/java/A.java"),
                FileTime.fromMillis(System.currentTimeMillis() + 5000));
        assertThat(launch("eval").err).contains("peft4j: building");
    }

    @Test
    void buildsAgainWhenALibraryIsGone() throws Exception {
        launch("eval");
        Files.delete(checkout.resolve("cli/target/library.jar"));
        assertThat(launch("eval").err).contains("peft4j: building");
    }

    @Test
    void theGpuSwitchBuildsWithCuda() throws Exception {
        launch("eval");
        launch(List.of("PEFT4J_CUDA=1"), checkout.resolve("peft4j"));
        assertThat(checkout.resolve("maven.txt")).content().contains("-Dcuda package");
    }

    @Test
    void theMlflowSwitchBuildsWithItOnceAndThatBuildServesAll() throws Exception {
        launch("eval");
        executable(
                "mvn",
                "echo \"mvn $*\" > \"$PWD/maven.txt\"",
                "touch cli/target/mlflow-1.jar",
                "echo \"$PWD/cli/target/mlflow-1.jar\" > cli/target/launcher/classpath");
        assertThat(launch(List.of("PEFT4J_MLFLOW=1"), checkout.resolve("peft4j")).err)
                .contains("peft4j: building");
        assertThat(checkout.resolve("maven.txt")).content().contains("-Dmlflow package");
        assertThat(launch(List.of("PEFT4J_MLFLOW=1"), checkout.resolve("peft4j")).err).isEmpty();
        assertThat(launch("eval").err).isEmpty();
    }

    @Test
    void classesOfOnesOwnStandBehindTheLibraries() throws Exception {
        String classPath = checkout.resolve("cli/target/library.jar") + ":";
        assertThat(launch(List.of("PEFT4J_CLASSPATH=/my/a:b.jar"), checkout.resolve("peft4j")).out)
                .contains(classPath + "/my/a:b.jar>");
        assertThat(launch("eval").out).doesNotContain(classPath);
    }

    @Test
    void passesTheExitCodeAndWorksThroughLinksFromAnywhere() throws Exception {
        Path link = Files.createSymbolicLink(bin.resolve("p4j"), Path.of("../link"));
        Files.createSymbolicLink(directory.resolve("link"), checkout.resolve("peft4j"));
        Result result = launch(List.of(), link, "inspect");
        assertThat(result.code).isEqualTo(7);
        assertThat(result.out)
                .contains("tracking true, locale C.UTF-8")
                .contains(checkout.resolve("cli/target/cli-1.jar").toString())
                .endsWith("<io.peft4j.cli.Peft4j>\n<inspect>\n");
    }

    @Test
    void anOldJavaIsRefusedInOneLine() throws Exception {
        executable("java", "echo 'openjdk version \"11.0.2\"' >&2");
        Result result = launch("eval");
        assertThat(result.code).isEqualTo(1);
        assertThat(result.err)
                .isEqualTo("peft4j: Java 17 or later is needed, but java is Java 11\n");
    }

    @Test
    void aFailedBuildIsAFailure() throws Exception {
        executable("mvn", "echo 'cannot compile'", "exit 1");
        Result result = launch("eval");
        assertThat(result.code).isEqualTo(1);
        assertThat(result.err).contains("cannot compile").endsWith("the build failed, see above\n");
        assertThat(result.out).isEmpty();
    }

    private void executable(String name, String... lines) throws IOException {
        Path file = bin.resolve(name);
        Files.writeString(file, "#!/bin/sh\n" + String.join("\n", lines) + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private Result launch(String... args) throws Exception {
        return launch(List.of(), checkout.resolve("peft4j"), args);
    }

    private Result launch(List<String> settings, Path script, String... args) throws Exception {
        List<String> command = new ArrayList<>(List.of("/usr/bin/env", "-i"));
        command.add("PATH=" + bin + ":/usr/bin:/bin");
        command.addAll(settings);
        command.addAll(List.of("bash", script.toString()));
        command.addAll(List.of(args));
        Path out = directory.resolve("out.txt");
        Path err = directory.resolve("err.txt");
        Process process =
                new ProcessBuilder(command)
                        .directory(directory.toFile())
                        .redirectOutput(out.toFile())
                        .redirectError(err.toFile())
                        .start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return new Result(
                process.exitValue(),
                Files.readString(out, StandardCharsets.UTF_8),
                Files.readString(err, StandardCharsets.UTF_8));
    }

    private record Result(int code, String out, String err) {}
}
