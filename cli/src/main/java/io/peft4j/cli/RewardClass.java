package io.peft4j.cli;

import io.peft4j.tuning.online.RewardFunction;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;

/** Makes the reward function that a class is. */
final class RewardClass {

    private RewardClass() {}

    static RewardFunction create(Class<?> type) {
        if (!RewardFunction.class.isAssignableFrom(type)) {
            throw new UsageException(
                    "--reward: expected a class that implements "
                            + RewardFunction.class.getName()
                            + ", found "
                            + type.getName()
                            + ", which does not");
        }
        try {
            Constructor<?> constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true); // a class in a file of its own need not be public
            return (RewardFunction) constructor.newInstance();
        } catch (NoSuchMethodException | InstantiationException e) {
            throw new UsageException(
                    "--reward: expected a class with a constructor without parameters, found none"
                            + " that can be called in "
                            + type.getName(),
                    e);
        } catch (InvocationTargetException | ExceptionInInitializerError e) {
            throw new UsageException(
                    "--reward: making a " + type.getName() + " failed: " + e.getCause(), e);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e); // it was made accessible
        }
    }
}
