// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VesHashes} from "../VesHashes.sol";
import {AnchorTest} from "./AnchorTest.sol";
import {Model} from "./Model.sol";

/// @title The library's internal functions as calls, which calldata arguments need
contract Hashes {
    function leaf(bytes32 tenant, bytes32 store, uint64 number, bytes32 signingHash, bytes calldata signature)
        external
        pure
        returns (bytes32)
    {
        return VesHashes.leaf(VesHashes.uuid(tenant), VesHashes.uuid(store), number, signingHash, signature);
    }
}

/// @title The contract agrees with src/ves on every hash, and on what is in a batch and what is not
contract VectorsTest is AnchorTest {
    uint256 private constant BATCHES = 21;

    string private json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("contracts/test/vectors.json");
    }

    function hashOf(string memory name, uint64 number) private pure returns (bytes32) {
        return sha256(bytes.concat(bytes(name), bytes8(number)));
    }

    function signatureOf(uint64 number) private pure returns (bytes memory) {
        return bytes.concat(hashOf("r", number), hashOf("s", number));
    }

    function batchKey(uint256 batch, string memory member) private pure returns (string memory) {
        return string.concat(".batches[", vm.toString(batch), "].", member);
    }

    function draftOf(uint256 batch) private view returns (Draft memory draft) {
        string memory text = json;
        draft.batchId = keccak256(abi.encode(batch));
        (draft.tenantId, draft.storeId) = (TENANT, STORE);
        draft.eventsRoot = vm.parseJsonBytes32(text, batchKey(batch, "merkleRoot"));
        draft.stateRoot = vm.parseJsonBytes32(text, batchKey(batch, "newStateRoot"));
        draft.start = uint64(vm.parseJsonUint(text, batchKey(batch, "sequenceStart")));
        draft.end = uint64(vm.parseJsonUint(text, batchKey(batch, "sequenceEnd")));
        draft.count = uint32(vm.parseJsonUint(text, batchKey(batch, "leafCount")));
    }

    function pathOf(uint256 batch, uint256 place) private view returns (bytes32[] memory) {
        string memory key = string.concat("paths[", vm.toString(place), "]");
        return vm.parseJsonBytes32Array(json, batchKey(batch, key));
    }

    function test_hashes() public {
        string memory text = json;
        eq(TENANT, vm.parseJsonBytes32(text, ".tenantId"), "tenant");
        eq(STORE, vm.parseJsonBytes32(text, ".storeId"), "store");
        bytes32 stream = vm.parseJsonBytes32(text, ".streamId");
        eq(VesHashes.streamId(bytes16(TENANT), bytes16(STORE)), stream, "stream id");
        eq(Model.streamId(TENANT, STORE), stream, "model's stream id");
        eq(Model.padLeaf(), vm.parseJsonBytes32(text, ".padLeaf"), "padding");
        bytes32 left = vm.parseJsonBytes32(text, ".node.left");
        bytes32 right = vm.parseJsonBytes32(text, ".node.right");
        eq(VesHashes.node(left, right), vm.parseJsonBytes32(text, ".node.hash"), "node");
        Hashes hashes = new Hashes();
        uint256[] memory numbers = vm.parseJsonUintArray(text, ".leafNumbers");
        bytes32[] memory leaves = vm.parseJsonBytes32Array(text, ".leaves");
        eq(numbers.length, 5, "numbers");
        for (uint256 i = 0; i < numbers.length; i++) {
            uint64 number = uint64(numbers[i]);
            bytes memory signature = signatureOf(number);
            bytes32 signingHash = hashOf("event", number);
            eq(hashes.leaf(TENANT, STORE, number, signingHash, signature), leaves[i], "leaf");
            eq(Model.leaf(TENANT, STORE, number, signingHash, signature), leaves[i], "model's leaf");
        }
    }

    function test_batchesAndTheirEvents() public {
        for (uint256 batch = 0; batch < BATCHES; batch++) {
            Draft memory draft = draftOf(batch);
            send(FIRST, draft);
            eq(anchored.stateRootOf(TENANT, STORE), draft.stateRoot, "state root");
            uint256[] memory indices = vm.parseJsonUintArray(json, batchKey(batch, "indices"));
            for (uint256 place = 0; place < indices.length; place++) {
                expectIncluded(draft, indices[place], pathOf(batch, place));
            }
        }
        eq(anchored.getLatestSequence(TENANT, STORE), 210 + 1024, "latest");
    }

    function expectIncluded(Draft memory draft, uint256 index, bytes32[] memory path) private view {
        uint64 number = draft.start + uint64(index);
        bytes32 signingHash = hashOf("event", number);
        bytes memory signature = signatureOf(number);
        bytes32 leaf = Model.leaf(TENANT, STORE, number, signingHash, signature);
        require(anchored.verifyInclusion(draft.batchId, leaf, index, path), "inclusion");
        require(anchored.verifyEvent(draft.batchId, number, signingHash, signature, path), "event");

        require(!anchored.verifyInclusion("unknown", leaf, index, path), "unknown batch");
        require(!anchored.verifyInclusion(draft.batchId, ~leaf, index, path), "another leaf");
        require(!anchored.verifyInclusion(draft.batchId, leaf, index + (1 << path.length), path), "high bits");
        require(!anchored.verifyInclusion(draft.batchId, leaf, index | (1 << 255), path), "the highest bit");
        expectRefused(draft, leaf, index, path);
        require(!anchored.verifyEvent("unknown", number, signingHash, signature, path), "event of an unknown batch");
        require(!anchored.verifyEvent(draft.batchId, number, ~signingHash, signature, path), "another event");
        require(!anchored.verifyEvent(draft.batchId, number + 1, signingHash, signature, path), "number + 1");
        require(!anchored.verifyEvent(draft.batchId, number - 1, signingHash, signature, path), "number - 1");
        require(!anchored.verifyEvent(draft.batchId, draft.end + 1, signingHash, signature, path), "after the range");
        bytes memory longer = bytes.concat(signature, hex"00");
        require(!anchored.verifyEvent(draft.batchId, number, signingHash, longer, path), "65 bytes");
        signature[63] ^= 0x01;
        require(!anchored.verifyEvent(draft.batchId, number, signingHash, signature, path), "another signature");
    }

    /// @dev What the interoperable rule of VES 5.3 would take: an inner node with a shortened path; and a longer path.
    function expectRefused(Draft memory draft, bytes32 leaf, uint256 index, bytes32[] memory path) private view {
        bytes32[] memory longer = new bytes32[](path.length + 1);
        for (uint256 i = 0; i < path.length; i++) {
            longer[i] = path[i];
        }
        require(!anchored.verifyInclusion(draft.batchId, leaf, index, longer), "a longer path");
        if (path.length == 0) return;
        bytes32[] memory shorter = new bytes32[](path.length - 1);
        for (uint256 i = 0; i < shorter.length; i++) {
            shorter[i] = path[i + 1];
        }
        bytes32 parent = index % 2 == 0 ? Model.node(leaf, path[0]) : Model.node(path[0], leaf);
        require(!anchored.verifyInclusion(draft.batchId, parent, index / 2, shorter), "an inner node");
        require(!anchored.verifyInclusion(draft.batchId, draft.eventsRoot, 0, new bytes32[](0)), "the root");
    }

    /// @dev In a tree of 3, the fourth leaf is padding, and its path leads to the root.
    function test_paddingIsNotAnEvent() public {
        for (uint256 batch = 0; batch < 3; batch++) {
            send(FIRST, draftOf(batch));
        }
        Draft memory draft = draftOf(2);
        bytes32[] memory path = pathOf(2, 2);
        bytes32 last = path[0];
        eq(last, Model.padLeaf(), "the last leaf's sibling is padding");
        path[0] = leafAt(draft.end);
        eq(Model.node(path[1], Model.node(path[0], last)), draft.eventsRoot, "the path leads to the root");
        require(!anchored.verifyInclusion(draft.batchId, last, 3, path), "padding");
    }

    /// @dev A sequencer may anchor any root, also that of a leaf over a signature too long.
    function test_signaturesHave64Bytes() public {
        for (uint256 length = 63; length < 66; length++) {
            bytes memory signature = new bytes(length);
            Draft memory draft = draftAfter(bytes32(length << 128), nothing(), 1, vm.toString(length));
            draft.eventsRoot = Model.leaf(TENANT, draft.storeId, 1, "hash", signature);
            draft.stateRoot = rootAfter(0, draft);
            send(FIRST, draft);
            bool isEvent = anchored.verifyEvent(draft.batchId, 1, "hash", signature, new bytes32[](0));
            require(isEvent == (length == 64), "64 bytes");
        }
    }

    function leafAt(uint64 number) private pure returns (bytes32) {
        return Model.leaf(TENANT, STORE, number, hashOf("event", number), signatureOf(number));
    }
}
