package dev.kindling.worker.store;

import java.io.IOException;
import java.util.List;

/** Hands every call on, for tests that change some. */
public class ForwardingStorage implements Storage {
  protected final Storage storage;

  protected ForwardingStorage(Storage storage) {
    this.storage = storage;
  }

  @Override
  public String location() {
    return storage.location();
  }

  @Override
  public List<StorageEntry> list(String folder) throws IOException {
    return storage.list(folder);
  }

  @Override
  public StorageInput open(String name) throws IOException {
    return storage.open(name);
  }

  @Override
  public StorageOutput create(String name) throws IOException {
    return storage.create(name);
  }

  @Override
  public boolean commitExclusive(String name, byte[] content) throws IOException {
    return storage.commitExclusive(name, content);
  }

  @Override
  public void replace(String name, byte[] content) throws IOException {
    storage.replace(name, content);
  }

  @Override
  public boolean delete(String name) throws IOException {
    return storage.delete(name);
  }

  @Override
  public boolean deleteFolder(String folder) throws IOException {
    return storage.deleteFolder(folder);
  }

  @Override
  public boolean exists(String name) throws IOException {
    return storage.exists(name);
  }

  @Override
  public long length(String name) throws IOException {
    return storage.length(name);
  }

  @Override
  public void sweep(String folder) throws IOException {
    storage.sweep(folder);
  }
}
