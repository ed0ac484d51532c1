// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {SequencerSet} from "../SequencerSet.sol";
import {StateSetAnchor} from "../StateSetAnchor.sol";
import {AnchorTest} from "./AnchorTest.sol";

contract SequencersTest is AnchorTest {
    function refusal(bytes4 selector, address account) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, account);
    }

    function pin(bytes32 storeId, address sequencer) private {
        address[] memory sequencers = new address[](sequencer == address(0) ? 0 : 1);
        if (sequencers.length == 1) sequencers[0] = sequencer;
        vm.expectEmit(address(anchored));
        emit StreamPinned(TENANT, storeId, sequencers);
        vm.prank(OWNER);
        anchored.pinStream(TENANT, storeId, sequencers);
    }

    function test_ownerAddsAndRemoves() public {
        Draft memory one = follow(nothing(), 1, "one");
        vm.expectEmit(address(anchored));
        emit SequencerSet.SequencerAuthorized(STRANGER);
        vm.prank(OWNER);
        anchored.authorizeSequencer(STRANGER);
        send(STRANGER, one);
        vm.expectEmit(address(anchored));
        emit SequencerSet.SequencerRevoked(STRANGER);
        vm.prank(OWNER);
        anchored.revokeSequencer(STRANGER);
        require(!anchored.isSequencer(STRANGER), "revoked");
        Draft memory two = follow(one, 1, "two");
        sendRefused(STRANGER, two, refusal(SequencerSet.SequencerNotAuthorized.selector, STRANGER));
        vm.prank(OWNER);
        anchored.authorizeSequencer(STRANGER);
        send(STRANGER, two);
        (,,,,,,,, address by) = anchored.getCommitment(two.batchId);
        eq(by, STRANGER, "anchored by");
    }

    function test_onlyTheOwner() public {
        bytes memory because = refusal(Ownable.OwnableUnauthorizedAccount.selector, FIRST);
        vm.expectRevert(because);
        vm.prank(FIRST);
        anchored.authorizeSequencer(STRANGER);
        vm.expectRevert(because);
        vm.prank(FIRST);
        anchored.revokeSequencer(SECOND);
        vm.expectRevert(because);
        vm.prank(FIRST);
        anchored.pinStream(TENANT, STORE, new address[](0));
        vm.expectRevert(because);
        vm.prank(FIRST);
        anchored.renounceOwnership();
    }

    function test_refusesWhatChangesNothing() public {
        vm.expectRevert(refusal(SequencerSet.SequencerAlreadyAuthorized.selector, FIRST));
        vm.prank(OWNER);
        anchored.authorizeSequencer(FIRST);
        vm.expectRevert(refusal(SequencerSet.SequencerNotAuthorized.selector, STRANGER));
        vm.prank(OWNER);
        anchored.revokeSequencer(STRANGER);
        vm.expectRevert(refusal(SequencerSet.InvalidSequencer.selector, address(0)));
        vm.prank(OWNER);
        anchored.authorizeSequencer(address(0));
        vm.expectRevert(refusal(SequencerSet.InvalidSequencer.selector, address(0)));
        new StateSetAnchor(OWNER, new address[](1));
    }

    function test_pinnedStream() public {
        pin(STORE, SECOND);
        require(!anchored.mayAnchor(FIRST, TENANT, STORE), "the first is out");
        require(anchored.mayAnchor(SECOND, TENANT, STORE), "the second is in");
        require(anchored.mayAnchor(FIRST, TENANT, OTHER_STORE), "elsewhere nothing changed");
        require(!anchored.mayAnchor(STRANGER, TENANT, OTHER_STORE), "a stranger");
        Draft memory one = follow(nothing(), 1, "one");
        sendRefused(FIRST, one, abi.encodeWithSelector(SequencerNotPinned.selector, one.batchId, FIRST));
        send(SECOND, one);
        send(FIRST, draftAfter(OTHER_STORE, nothing(), 1, "other"));

        pin(STORE, FIRST);
        eq(anchored.pinnedSequencers(TENANT, STORE).length, 1, "replaced");
        Draft memory two = follow(one, 1, "two");
        sendRefused(SECOND, two, abi.encodeWithSelector(SequencerNotPinned.selector, two.batchId, SECOND));
        send(FIRST, two);
        pin(STORE, address(0));
        eq(anchored.pinnedSequencers(TENANT, STORE).length, 0, "not pinned");
        send(SECOND, follow(two, 1, "three"));
        eq(anchored.getLatestSequence(TENANT, STORE), 3, "pinning leaves the head alone");
    }

    function test_pinsToSequencersOnly() public {
        address[] memory sequencers = new address[](2);
        (sequencers[0], sequencers[1]) = (FIRST, STRANGER);
        vm.expectRevert(refusal(SequencerSet.SequencerNotAuthorized.selector, STRANGER));
        vm.prank(OWNER);
        anchored.pinStream(TENANT, STORE, sequencers);
    }

    function test_aPinDoesNotOutliveARevocation() public {
        pin(STORE, FIRST);
        vm.prank(OWNER);
        anchored.revokeSequencer(FIRST);
        require(!anchored.mayAnchor(FIRST, TENANT, STORE), "revoked");
        Draft memory one = follow(nothing(), 1, "one");
        sendRefused(FIRST, one, refusal(SequencerSet.SequencerNotAuthorized.selector, FIRST));
        sendRefused(SECOND, one, abi.encodeWithSelector(SequencerNotPinned.selector, one.batchId, SECOND));
    }

    function test_ownershipMovesInTwoSteps() public {
        vm.prank(OWNER);
        anchored.transferOwnership(STRANGER);
        eq(anchored.owner(), OWNER, "not yet");
        vm.prank(STRANGER);
        anchored.acceptOwnership();
        eq(anchored.owner(), STRANGER, "now");
        vm.expectRevert(refusal(Ownable.OwnableUnauthorizedAccount.selector, OWNER));
        vm.prank(OWNER);
        anchored.revokeSequencer(FIRST);
        vm.expectRevert(abi.encodeWithSelector(SequencerSet.OwnerRequired.selector));
        vm.prank(STRANGER);
        anchored.renounceOwnership();
    }
}
