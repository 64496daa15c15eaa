package io.peft4j.adapters;

/** Tells the JDK's own classes, whose fields are closed to reflection, from all others. */
final class Jdk {

    private Jdk() {}

    static boolean isClass(Class<?> type) {
        String module = type.getModule().getName();
        return module != null && (module.startsWith("java.") || module.startsWith("jdk."));
    }
}
