package io.peft4j.cli;

import io.peft4j.files.Sha256;
import io.peft4j.tuning.online.RewardFunction;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/**
 * Compiles a reward function from one Java file, in memory, against this program's class path. The
 * file runs with all rights of this program, as any class on the class path.
 */
final class RewardSource {

    private static final String ENDING = ".java";

    private RewardSource() {}

    /**
     * Compiles a file.
     *
     * @throws UsageException if it does not compile, or its class is no reward function, or there
     *     is no compiler
     */
    static RewardFunction compile(Path file) {
        return compile(file, ToolProvider.getSystemJavaCompiler());
    }

    static RewardFunction compile(Path file, @Nullable JavaCompiler compiler) {
        if (compiler == null) {
            throw new UsageException(
                    "--reward "
                            + file
                            + ": this Java has no compiler; start peft4j with a JDK (JAVA_HOME), or"
                            + " compile the class and put it on the class path");
        }
        Map<String, ByteArrayOutputStream> classes = compiled(file, compiler);
        RewardFunction function = RewardClass.create(load(file, classes));
        try {
            return new IdentifiedReward(function, Sha256.of(file) + " " + function.settings());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns the bytes of the classes by their names. */
    private static Map<String, ByteArrayOutputStream> compiled(Path file, JavaCompiler compiler) {
        DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
        Map<String, ByteArrayOutputStream> classes = new HashMap<>();
        try (StandardJavaFileManager standard =
                        compiler.getStandardFileManager(
                                found, Locale.ROOT, StandardCharsets.UTF_8);
                InMemory inMemory = new InMemory(standard, classes)) {
            boolean compiles =
                    compiler.getTask(
                                    null,
                                    inMemory,
                                    found,
                                    List.of(
                                            "-proc:none",
                                            "-classpath",
                                            System.getProperty("java.class.path")),
                                    null,
                                    standard.getJavaFileObjects(file))
                            .call();
            if (!compiles) {
                throw new UsageException(
                        "--reward " + file + " does not compile: " + messages(found));
            }
            return classes;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String messages(DiagnosticCollector<JavaFileObject> found) {
        return found.getDiagnostics().stream()
                .filter(message -> message.getKind() == Diagnostic.Kind.ERROR)
                .map(
                        message ->
                                "line "
                                        + message.getLineNumber()
                                        + ": "
                                        + message.getMessage(Locale.ROOT))
                .collect(Collectors.joining("; "));
    }

    /** Finds the class of the file's name, in whichever package it is. */
    private static Class<?> load(Path file, Map<String, ByteArrayOutputStream> classes) {
        String fileName = file.getFileName().toString();
        String name = fileName.substring(0, fileName.length() - ENDING.length());
        String binaryName =
                classes.keySet().stream()
                        .filter(one -> one.equals(name) || one.endsWith("." + name))
                        .findFirst()
                        .orElseThrow(
                                () ->
                                        new UsageException(
                                                "--reward "
                                                        + file
                                                        + ": expected a class "
                                                        + name
                                                        + ", as the file is called, found "
                                                        + classes.keySet()));
        try {
            return Class.forName(binaryName, true, new Loader(classes));
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e); // it is among them
        }
    }

    private static final class Loader extends ClassLoader {

        private final Map<String, ByteArrayOutputStream> classes;

        Loader(Map<String, ByteArrayOutputStream> classes) {
            super(RewardSource.class.getClassLoader());
            this.classes = classes;
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            ByteArrayOutputStream bytes = classes.get(name);
            if (bytes == null) {
                throw new ClassNotFoundException(name);
            }
            return defineClass(name, bytes.toByteArray(), 0, bytes.size());
        }
    }

    private static final class InMemory extends ForwardingJavaFileManager<JavaFileManager> {

        private final Map<String, ByteArrayOutputStream> classes;

        InMemory(JavaFileManager manager, Map<String, ByteArrayOutputStream> classes) {
            super(manager);
            this.classes = classes;
        }

        @Override
        public JavaFileObject getJavaFileForOutput(
                Location location,
                String className,
                JavaFileObject.Kind kind,
                @Nullable FileObject sibling) {
            return new SimpleJavaFileObject(
                    URI.create("memory:///" + className.replace('.', '/') + kind.extension), kind) {
                @Override
                public OutputStream openOutputStream() {
                    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                    classes.put(className, bytes);
                    return bytes;
                }
            };
        }
    }
}
